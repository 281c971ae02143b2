"""spec.inputModel: the base model."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Bounded, Governed, Model, OneOf
from finetune_api.resource.locations import HuggingFaceRepository, S3Location, VolumeLocation

SOURCE_PATH = "spec.inputModel.source"
"""Its place in the spec, for what is wrong with the model itself."""


class ModelSource(OneOf):
    """Where the base model comes from."""

    variants: ClassVar[tuple[str, ...]] = ("hugging_face", "s3", "volume")

    hugging_face: HuggingFaceRepository | None = Field(
        default=None, description="A model repository on the Hugging Face hub."
    )
    s3: S3Location | None = Field(
        default=None,
        description="A directory in a bucket, or a .gguf file in one.",
    )
    volume: VolumeLocation | None = Field(
        default=None,
        description="A directory in a PersistentVolumeClaim, or a .gguf file in one.",
    )


class InputModel(Model):
    """The base model that the first pass starts from."""

    source: ModelSource = Field(description="Where the model comes from: exactly one of huggingFace, s3, volume.")
    task: Literal["text-generation"] = Field(
        default="text-generation",
        description="What the model does. Causal language models are supported: text-generation.",
    )
    format: Literal["auto", "transformers", "gguf", "mlflow"] = Field(
        default="auto",
        description="transformers: config.json, tokenizer files and safetensors. gguf: a .gguf file, dequantised once. "
        "mlflow: a directory with an MLmodel file, as MLflow or Azure's registry writes it. auto: what the directory holds.",
    )
    gguf_file: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="",
        description="Which .gguf file of the source, by its path there; needed where there are several. "
        "No pattern: one file.",
    )
    allow_pickle: Annotated[bool, Governed("allowPickle", Bounded.SWITCHED)] = Field(
        default=False,
        description="Read weights from pytorch_model*.bin where there are no safetensors. Off: refused, since unpickling "
        "can run code of whoever made the file. On: read with torch's weights_only, and made safetensors once.",
    )
    trust_remote_code: Annotated[bool, Governed("trustRemoteCode", Bounded.SWITCHED)] = Field(
        default=False,
        description="Run Python code that the model's repository brings. Off: such a model is refused.",
    )
