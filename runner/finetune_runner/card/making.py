"""What an artifact is and what it was made from, for its card."""

import yaml

from finetune_api.plan import PlannedPass, Product, execution_provider
from finetune_api.resource.exports import Export
from finetune_runner.card.text import fenced, table
from finetune_runner.publishing.made import Made

UNSEEN = (
    "**Nobody has seen this model run.** The job had no system with {provider}, or the graph is only part of a model."
    " Try it where it is to run before you rely on it."
)


def summary(made: Made) -> str:
    """The artifact in a sentence or two."""
    base = f"`{made.prepared.base.uri}`"
    if made.adapters:
        told = {tuner.name: _tuned(made, tuner) for tuner in made.tuners}
        which = "; ".join(f"`{name}`" + (f", {told[name]}" if name in told else "") for name in made.adapters)
        what = f"{base}, with {len(made.adapters)} adapters to load over it: {which}"
    else:
        what = base + "".join(f", {_tuned(made, tuner)}" for tuner in made.tuners)
    return f"{what}. {_form(made)}"


def verification(made: Made) -> str:
    """Whether an ONNX model was seen to run."""
    if made.step.product is not Product.ONNX:
        return ""
    if made.verified_on:
        return f"It was loaded by onnxruntime-genai in a fresh process and has answered on `{made.verified_on}`."
    return UNSEEN.format(provider=execution_provider(made.spec, made.step.spec))


def inputs(made: Made) -> str:
    """Base model and data, as they were pinned."""
    base = made.prepared.base
    rows = [["base model", base.uri, base.revision or base.digest, ""]]
    used = {made.rows_of(tuner).name for tuner in made.tuners} | set(_evaluated(made))
    for data in made.prepared.data:
        if data.name in used:
            left_out = f", {data.bad_rows} unusable ones left out" if data.bad_rows else ""
            rows.append([f"data `{data.name}`", data.source.uri, data.digest, f"{data.rows} rows{left_out}"])
    return table(["what", "from", "commit or digest", ""], rows)


def parameters(made: Made) -> str:
    """What differs from the defaults, pass by pass; a plugin's settings are its own affair."""
    steps = {}
    for step in made.lineage:
        config = step.spec.config
        given = (
            {"name": step.spec.plugin.name}
            if step.spec.plugin
            else config.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
        )
        steps[step.name] = {step.spec.variant_alias: given}
    text = yaml.safe_dump(steps, sort_keys=False, allow_unicode=True)
    return "The passes, with what differs from their defaults:\n\n" + fenced("yaml", text)


def files(made: Made) -> str:
    """Size and digest, and what lies beside."""
    manifest = made.manifest
    facts = f"{len(manifest.files)} files, {manifest.size_bytes} bytes, sha256:{manifest.digest}."
    checked = "`finetune verify` checks each by `manifest.json`."
    return f"{facts} {checked} Every figure stands in `report.json`, what it was made from in `provenance.intoto.json`."


def _tuned(made: Made, tuner: PlannedPass) -> str:
    data = made.rows_of(tuner)
    return f"tuned by `{tuner.spec.variant_alias}` on {made.prepared.data_named(data.name).rows} rows of `{data.name}`"


def _form(made: Made) -> str:
    config = made.step.spec.config
    if isinstance(config, Export):
        provider = execution_provider(made.spec, made.step.spec)
        rounding = f" by `{config.algorithm}`" if config.precision == "int4" else ""
        return f"An ONNX model for onnxruntime-genai: `{config.precision}`{rounding}, for `{provider}`."
    if made.step.product is Product.ADAPTER:
        return "An adapter in peft's format, which belongs to that base."
    return "A model in transformers' format, in safetensors." if made.step.product is Product.MODEL else ""


def _evaluated(made: Made) -> list[str]:
    return [step.spec.evaluate.data for step in made.steps if step.spec.evaluate]
