"""The card's front matter: what the hub finds a model by."""

from typing import Any

from finetune_api.plan import Product
from finetune_api.resource.exports import Export
from finetune_runner.publishing.made import Made

LIBRARIES = {Product.MODEL: "transformers", Product.ADAPTER: "peft", Product.ONNX: "onnxruntime-genai"}


def front_matter(made: Made) -> str:
    """YAML. The language of the data is not known, and so left out."""
    from huggingface_hub.repocard_data import ModelCardData  # noqa: PLC0415  takes a while

    card = made.prepared.base.card
    known: dict[str, Any] = {
        "base_model": _repository(made.spec.input_model.source),
        "datasets": _datasets(made),
        "license": card.license,
        "license_name": card.license_name,
        "license_link": card.license_link,
    }
    data = ModelCardData(
        library_name=LIBRARIES[made.step.product],
        pipeline_tag=made.spec.input_model.task,
        tags=_tags(made),
        **{name: value for name, value in known.items() if value},
    )
    return str(data.to_yaml())


def _repository(source: Any) -> str:
    return source.hugging_face.repo if source.hugging_face else ""


def _datasets(made: Made) -> list[str]:
    found = (_repository(made.rows_of(tuner).source) for tuner in made.tuners)
    return [name for name in dict.fromkeys(found) if name]


def _tags(made: Made) -> list[str]:
    config = made.step.spec.config
    of_export = ["onnx", config.precision] if isinstance(config, Export) else []
    of_tuning = dict.fromkeys(tuner.spec.variant for tuner in made.tuners)
    return ["finetune-operator", *of_export, *of_tuning]
