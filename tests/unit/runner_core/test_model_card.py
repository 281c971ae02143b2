"""The card beside an artifact: what it is, what was lost on the way, how to run it."""

import ast
import re
from dataclasses import replace

import pytest
import yaml

from adapter_specs import EXPORT, adapters_spec
from api_specs import wire_spec
from finetune_api.plan import Product
from finetune_runner.card import model_card
from finetune_runner.card.figures import NOT_COMPARED
from finetune_runner.sources.base_card import BaseCard, card_of
from finetune_runner.store.manifest import ManifestFile
from gated_specs import METRICS
from made_artifacts import COMMIT, made


def front_matter(card):
    return yaml.safe_load(card.split("---\n")[1])


def test_its_front_matter_is_the_hubs():
    licence = BaseCard(license="other", license_name="phi", license_link="https://example.com/phi")

    assert front_matter(model_card(made(card=licence))) == {
        "base_model": "microsoft/Phi-3-mini-4k-instruct",
        "library_name": "onnxruntime-genai",
        "license": "other",
        "license_name": "phi",
        "license_link": "https://example.com/phi",
        "pipeline_tag": "text-generation",
        "tags": ["finetune-operator", "onnx", "int4", "lora"],
    }


def test_what_is_not_known_is_left_out_of_it():
    given = wire_spec()["inputModel"] | {"source": {"volume": {"claimName": "models"}}}
    assert set(front_matter(model_card(made(inputModel=given)))) == {"library_name", "pipeline_tag", "tags"}


def test_figures_stand_side_by_side_with_their_intervals():
    card = model_card(made())
    assert "On 240 rows of `tones`, by `tone-accuracy`:\n\n| model | accuracy | loss | size | pace |" in card
    assert "| `tune` (lora) | 0.9500 (0.9000 to 0.9750) | 0.1200 | 4000000 | 31.2 |" in card
    assert "| `int4` (modelBuilder), **this model** | 0.9375 (0.9000 to 0.9750) | 0.1100 |" in card


def test_no_more_rows_are_told_than_the_evaluator_takes():
    evaluators = [{"name": "tone-accuracy", "metrics": METRICS, "maxSamples": 60}]
    assert "On 60 rows of `tones`" in model_card(made(evaluators=evaluators))


def test_what_was_lost_is_told_of_qualities_and_not_of_sizes_or_times():
    card = model_card(made())
    assert "- accuracy: 0.9500 after `tune`, 0.9375 in this model: 0.0125 worse\n" in card
    assert "- loss: 0.1200 after `tune`, 0.1100 in this model: 0.0100 better\n" in card
    assert "- size:" not in card
    assert "- pace:" not in card


def test_what_a_skipped_evaluation_would_have_measured_is_not_compared():
    artifact = made()
    committed = {name: manifest for name, manifest in artifact.committed.items() if name != "tuned-check"}
    assert NOT_COMPARED in model_card(replace(artifact, committed=committed))


def test_gates_are_told_with_what_they_came_to():
    assert "| accuracy after `int4` | at most 0.02 worse than tune | 0.0125 | passed |" in model_card(made())


def test_inputs_are_told_as_they_were_pinned():
    card = model_card(made())
    assert f"| base model | hf://microsoft/Phi-3-mini-4k-instruct | {COMMIT} |" in card
    assert "| 240 rows, 2 unusable ones left out |" in card
    assert f"sha256:{made().manifest.digest}" in card


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ("CPUExecutionProvider", "has answered on `CPUExecutionProvider`."),
        ("", "**Nobody has seen this model run.** The job had no system with CPUExecutionProvider"),
    ],
)
def test_it_says_whether_the_model_was_seen_to_run(seen, said):
    assert said in model_card(made(seen=seen))


@pytest.mark.parametrize(
    ("name", "product", "library", "asks"),
    [
        ("int4", Product.ONNX, "onnxruntime-genai", "finetune chat s3://models/phi3-tone\n"),
        ("merge", Product.MODEL, "transformers", "AutoModelForCausalLM.from_pretrained(folder)"),
        ("tune", Product.ADAPTER, "peft", "PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained('microsoft/"),
    ],
)
def test_every_kind_of_artifact_is_told_how_to_run_it(name, product, library, asks):
    artifact = made(name)
    card = model_card(artifact)

    assert artifact.step.product is product
    assert front_matter(card)["library_name"] == library
    assert asks in card
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    ast.parse(code)
    assert r"'### Text: {phrase}\n### The tone is:\n'" in code


def with_adapters():
    """An export with the adapters of tone and mood, of which mood's is measured before and after."""
    passes = adapters_spec("mood", measured="mood")["passes"]
    passes[3]["name"] = "check"
    passes.insert(2, {**passes[3], "name": "tuned-check", "input": "mood"})
    passes[2] = passes[2] | {"evaluate": {"evaluator": "tone-accuracy", "data": "tones"}}
    artifact = made(EXPORT, passes=passes, gates=[])
    names = ("model.onnx", "tone.onnx_adapter", "mood.onnx_adapter")
    files = [ManifestFile(path=name, sha256="a" * 64, size=7) for name in names]
    manifest = artifact.manifest.model_copy(update={"files": files})
    return replace(artifact, committed=artifact.committed | {EXPORT: manifest})


def test_of_several_adapters_each_is_told():
    card = model_card(with_adapters())

    assert "with 2 adapters to load over it: `tone`, tuned by `lora` on 240 rows of `tones`; `mood`, tuned by" in card
    assert front_matter(card)["tags"] == ["finetune-operator", "onnx", "int4", "lora", "qlora"]
    assert "| `export` with `mood` (extractAdapters), **this model** | 0.9375" in card
    assert "- accuracy: 0.9500 after `mood`, 0.9375 in this model: 0.0125 worse" in card
    assert "after `tone`" not in card
    assert all(f"{name}:\n" in card for name in ("tone", "mood", EXPORT))  # what differs from the defaults


def test_of_several_adapters_it_is_told_how_each_is_run():
    card = model_card(with_adapters())

    assert "finetune chat s3://models/phi3-tone --adapter tone\n" in card
    [code] = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    ast.parse(code)
    for name in ("tone", "mood"):
        assert f"adapters.load(f\"{{folder}}/{name}.onnx_adapter\", '{name}')\n" in code
    assert "generator.set_active_adapter(adapters, 'tone')" in code
    assert "The other adapters: `mood`." in card


def test_secrets_and_where_they_lie_are_not_part_of_it():
    systems = [{"name": "gpu", "accelerator": {}, "env": [{"name": "KEY", "value": "hunter2"}]}, {"name": "cpu"}]
    store = {"s3": {"uri": "s3://models/x", "credentialsSecretRef": {"name": "minio"}}}
    output = {"s3": {"uri": "s3://models/x", "endpoint": "https://s3.example.com:9000"}}
    card = model_card(made(systems=systems, store=store, output=output))
    assert "hunter2" not in card
    assert "minio" not in card
    assert "finetune chat s3://models/phi3-tone --endpoint https://s3.example.com:9000\n" in card


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("---\nlicense: mit\nlanguage: en\n---\n# Phi", BaseCard(license="mit")),
        (
            "---\nlicense: other\nlicense_name: gemma\nlicense_link: LICENSE\n---\n",
            BaseCard(license="other", license_name="gemma", license_link="LICENSE"),
        ),
        ("---\nlicense: [mit, apache-2.0]\nlicense_link: 'javascript:alert(1)'\n---\n", BaseCard()),
        ("---\nlicense: {\n---\n", BaseCard()),
        ("---\n- mit\n---\n", BaseCard()),
        ("# no front matter", BaseCard()),
    ],
    ids=["usual", "named", "unfit", "malformed", "a list", "none"],
)
def test_of_a_bases_card_nothing_but_a_fitting_licence_is_taken(text, expected):
    assert card_of(text) == expected
