"""spec.dataConfigs: training and evaluation rows, and how a row becomes text."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf, empty_list
from finetune_api.resource.locations import ConfigMapKey, HuggingFaceRepository, S3Location, VolumeLocation

Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=256)]
SplitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)*$", max_length=128)]
TRAIN_SPLIT = "train"
INLINE_BYTES = 262144
"""The longest inline text: a job with its rows must fit into one object of the cluster."""


class HuggingFaceDataset(HuggingFaceRepository):
    """A dataset repository on the Hugging Face hub."""

    subset: Annotated[str, StringConstraints(max_length=128)] = Field(
        default="",
        description="Subset (configuration) that the repository's README declares; empty: the default one, or the only one.",
    )


class InlineRows(Model):
    """Rows that stand in the manifest."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=INLINE_BYTES)] = Field(
        description="What a file of rows would hold: JSON Lines, a JSON array, or CSV. All inline rows of a job may take 256 KiB."
    )


class DataSource(OneOf):
    """Where the rows come from."""

    variants: ClassVar[tuple[str, ...]] = ("hugging_face", "s3", "volume", "config_map", "inline")

    hugging_face: HuggingFaceDataset | None = Field(
        default=None,
        description="A dataset repository on the Hugging Face hub, of which split and subset choose the files.",
    )
    s3: S3Location | None = Field(
        default=None, description="A file in a bucket, or a prefix with several files of one format."
    )
    volume: VolumeLocation | None = Field(
        default=None,
        description="A file in a PersistentVolumeClaim, or a folder with several files of one format.",
    )
    config_map: ConfigMapKey | None = Field(default=None, description="One key of a ConfigMap, for small sets.")
    inline: InlineRows | None = Field(default=None, description="Rows in the manifest itself, for small sets.")


class Filter(Model):
    """Keeps the rows with certain values in a column."""

    column: Column = Field(description="Column to look at; a row without it is a bad row.")
    values: list[Annotated[str, StringConstraints(max_length=1024)]] = Field(
        min_length=1,
        max_length=64,
        description="Values of rows that are kept, as text: 3 as '3', true as 'true'. A null is none of them.",
    )


class Pair(Model):
    """Input and output in columns of their own."""

    input_column: Column = Field(description="Column with the prompt.")
    output_column: Column = Field(description="Column with the completion.")


class Chat(Model):
    """Conversations, rendered by a chat template."""

    messages_column: Column = Field(
        default="messages", description="Column with a conversation: a list of objects with role and content."
    )
    chat_template: Annotated[str, StringConstraints(max_length=65536)] = Field(
        default="",
        description="Jinja template; empty: the tokenizer's own. What it wraps in {% generation %} counts for the loss; without"
        " that mark, the assistant's turns count, each with its end mark.",
    )


class Preprocess(Model):
    """How a row becomes a prompt and a completion: exactly one of textTemplate or textColumns, pair, chat."""

    text_columns: list[Column] = Field(
        default_factory=empty_list,
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
    pair: Pair | None = Field(default=None, description="Prompt and completion in columns of their own.")
    chat: Chat | None = Field(default=None, description="Conversations; the assistant's turns count for the loss.")
    loss: Literal["completion", "all"] = Field(
        default="completion",
        description="What counts for the loss: the completion (the answer and the end-of-sequence token; of a chat the"
        " assistant's turns), or all of the text. A template without an answer counts all.",
    )
    max_seq_len: int = Field(
        default=1024,
        ge=8,
        le=1048576,
        description="Longest sequence in tokens. A longer row loses the beginning of its prompt, never its completion; rows that"
        " are joined lose nothing.",
    )
    strategy: Literal["line-by-line", "join", "join-random", "join-sliding-window", "packing"] = Field(
        default="line-by-line",
        description="How rows become training sequences. line-by-line: each by itself. join: all rows one after another, cut every"
        " maxSeqLen tokens. join-random: as many sequences as join, each from a randomly chosen row on. join-sliding-window: as"
        " join, but a sequence begins every stride tokens, and what it shares with the one before gives context without counting"
        " for the loss. packing: whole rows side by side in a sequence, without attention from one to another. Evaluation takes"
        " each row by itself.",
    )
    stride: int = Field(
        default=0,
        ge=0,
        le=1048576,
        description="Tokens from the beginning of a sequence to the next one's, for join-sliding-window; less than maxSeqLen.",
    )
    joiner: Annotated[str, StringConstraints(max_length=1024)] = Field(
        default="\n\n",
        description="Text between two rows that are joined. It counts for the loss only with loss: all.",
    )
    pad_to_max_len: bool = Field(
        default=False,
        description="Pad every sequence to maxSeqLen; otherwise a batch is as long as its longest sequence.",
    )
    padding_side: Literal["right", "left"] = Field(default="right", description="Where padding stands.")
    drop_short_sequences: bool = Field(
        default=False, description="Leave out training sequences that are shorter than maxSeqLen."
    )
    use_attention_mask: bool = Field(
        default=True, description="Hide padding from attention. Padding never counts for the loss."
    )
    add_special_tokens: bool = Field(
        default=True,
        description="Begin a row as the tokenizer begins a text, and end it with the end-of-sequence token, unless it has them"
        " already. A chat template brings its own.",
    )
    random_seed: int = Field(default=42, ge=0, le=2147483647, description="Seed of join-random.")


class DataConfig(Model):
    """A named set of rows."""

    name: Name = Field(description="Name that passes refer to.")
    source: DataSource = Field(
        description="Where the rows come from: exactly one of huggingFace, s3, volume, configMap, inline."
    )
    format: Literal["auto", "json", "jsonl", "csv", "parquet", "arrow"] = Field(
        default="auto",
        description="json: an array of objects; jsonl: an object a line; csv: with a header; parquet; arrow: Arrow's file or"
        " stream. auto: by a file's name, or by how inline text begins.",
    )
    files: list[Glob] = Field(
        default_factory=empty_list,
        max_length=32,
        description="Glob patterns of the files to read, relative to the prefix, folder or repository; ** stands for any"
        " folders. Default: every file of the format (auto: of a known one), of a dataset repository those of split and"
        " subset.",
    )
    split: SplitName = Field(
        default=TRAIN_SPLIT,
        description="Split of a dataset repository on the hub, found by its README's configs, or by the names of files and"
        " folders, as the hub does. Other sources have no splits.",
    )
    filters: list[Filter] = Field(
        default_factory=empty_list, max_length=16, description="Which rows are kept: those that every filter keeps."
    )
    max_samples: int = Field(
        default=0, ge=0, le=2147483647, description="The first rows after filtering that are used; 0: all of them."
    )
    max_bad_rows: int = Field(
        default=0,
        ge=0,
        le=2147483647,
        description="How many unusable rows (malformed, no object, a column missing, null or of the wrong kind) are left out"
        " before the job fails.",
    )
    preprocess: Preprocess = Field(description="How a row becomes a prompt and a completion.")
