"""spec.inputModel: the base model."""

from typing import ClassVar, Literal

from pydantic import Field

from finetune_api.resource.base import Model, OneOf
from finetune_api.resource.locations import HuggingFaceRepository, S3Location, VolumeLocation


class ModelSource(OneOf):
    """Where the base model comes from."""

    variants: ClassVar[tuple[str, ...]] = ("hugging_face", "s3", "volume")

    hugging_face: HuggingFaceRepository | None = Field(
        default=None, description="A model repository on the Hugging Face hub."
    )
    s3: S3Location | None = Field(
        default=None,
        description="A directory in a bucket: config.json, tokenizer files and safetensors.",
    )
    volume: VolumeLocation | None = Field(
        default=None,
        description="A directory in a PersistentVolumeClaim: config.json, tokenizer files and safetensors.",
    )


class InputModel(Model):
    """The base model that the first pass starts from."""

    source: ModelSource = Field(description="Where the model comes from: exactly one of huggingFace, s3, volume.")
    task: Literal["text-generation"] = Field(
        default="text-generation",
        description="What the model does. Causal language models are supported: text-generation.",
    )
    trust_remote_code: bool = Field(
        default=False,
        description="Run Python code that the model's repository brings. Off: such a model is refused.",
    )
