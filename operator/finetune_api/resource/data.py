"""spec.dataConfigs: training and evaluation rows, and how a row becomes text."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf
from finetune_api.resource.locations import ConfigMapKey, HuggingFaceRepository, S3Location, VolumeLocation

Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class HuggingFaceDataset(HuggingFaceRepository):
    """Files of a dataset repository on the Hugging Face hub."""

    files: list[Glob] = Field(
        default_factory=lambda: ["*.jsonl", "*.json"],
        min_length=1,
        max_length=32,
        description="Glob patterns of the files to read, in the repository.",
    )


class DataSource(OneOf):
    """Where the rows come from."""

    variants: ClassVar[tuple[str, ...]] = ("hugging_face", "s3", "volume", "config_map")

    hugging_face: HuggingFaceDataset | None = Field(
        default=None, description="Files of a dataset repository on the Hugging Face hub."
    )
    s3: S3Location | None = Field(
        default=None, description="A file in a bucket, or a prefix with several files of one format."
    )
    volume: VolumeLocation | None = Field(
        default=None,
        description="A file in a PersistentVolumeClaim, or a folder with several files of one format.",
    )
    config_map: ConfigMapKey | None = Field(default=None, description="One key of a ConfigMap, for small sets.")


class Preprocess(Model):
    """How a row becomes a prompt and a completion."""

    text_columns: list[Column] = Field(
        default_factory=list,
        max_length=32,
        description="Columns used. Without a textTemplate their values are joined by a newline, and the loss counts on all of"
        " the text. With a textTemplate: the columns it names (may be left out).",
    )
    text_template: Annotated[str, StringConstraints(max_length=16384)] = Field(
        default="",
        description="A Python format string with columns in braces, such as '### Text: {phrase}\\n### The tone is:\\n{tone}'.",
    )
    answer_column: Annotated[str, StringConstraints(max_length=256)] = Field(
        default="",
        description="Column of textTemplate at which the completion begins. Default: the template's last placeholder, when it"
        " has more than one.",
    )
    loss: Literal["completion", "all"] = Field(
        default="completion",
        description="What counts for the loss: the completion (the answer and the end-of-sequence token), or all of the text."
        " A template without an answer counts all.",
    )
    max_seq_len: int = Field(
        default=1024,
        ge=8,
        le=1048576,
        description="Longest sequence in tokens. A longer row loses the beginning of its prompt, never its completion.",
    )


class DataConfig(Model):
    """A named set of rows."""

    name: Name = Field(description="Name that passes refer to.")
    source: DataSource = Field(
        description="Where the rows come from: exactly one of huggingFace, s3, volume, configMap."
    )
    format: Literal["auto", "json", "jsonl"] = Field(
        default="auto",
        description="json: an array of objects; jsonl: an object a line; auto: by the file's name.",
    )
    preprocess: Preprocess = Field(description="How a row becomes a prompt and a completion.")
