"""The tables of docs/olive.md, and the config that each of them speaks about."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from command_line import REPOSITORY
from finetune_cli.olive.convert import Imported
from finetune_cli.olive.notes import Note
from olive_configs import MODERN, changed, imported

Steps = tuple[str | int, ...]
PAGE = REPOSITORY / "docs" / "olive.md"
CODE = re.compile(r"`([^`]+)`")
FIELD = re.compile(r"([\w.\[\]]+): (.+)")
INDEX = re.compile(r"([^\[\]]+)(?:\[(\d+)\])?")

DATA, TUNE = ("data_configs", 0), ("passes", "tune")
LOAD, PROCESS = (*DATA, "load_dataset_config"), (*DATA, "pre_process_data_config")
MEASURE = {
    "metrics": [
        {"name": "ok", "type": "accuracy", "data_config": "rows", "sub_types": [{"name": "perplexity"}]},
    ]
}
MORE = {
    "name": "more",
    "load_dataset_config": {"data_name": "org/more", "split": "train"},
    "pre_process_data_config": {"text_template": "{a}{b}", "strategy": "line-by-line"},
}
FULL = changed(
    MODERN,
    (("data_configs",), [*MODERN["data_configs"], MORE]),
    (("systems", "cpu"), {"type": "LocalSystem", "accelerators": ["cpu"]}),
    (("evaluators",), {"measure": MEASURE}),
    (("host",), None),
    (("target",), None),
    (("engine",), {"host": "gpu", "target": "gpu"}),
)
"""All that a table's keys refer to."""
MEASURED = changed(FULL, (("engine", "evaluator"), "measure"))
EXTRACTED = changed(FULL, (("passes", "merge"), None), (("passes", "extract"), {"type": "ExtractAdapters"}))
HELD_OUT = changed(FULL, ((*TUNE, "eval_dataset_size"), 0.1))

TABLES: dict[str, tuple[dict[str, Any], Steps]] = {
    "## `input_model`": (FULL, ("input_model",)),
    "## `data_configs`": (changed(FULL, (("data_configs",), FULL["data_configs"][::-1])), DATA),
    "### `load_dataset_config`": (FULL, LOAD),
    "### `pre_process_data_config`": (FULL, PROCESS),
    "## `systems`": (FULL, ("systems", "gpu")),
    "Any pass:": (FULL, TUNE),
    "### LoRA, QLoRA, DoRA, LoftQ": (FULL, TUNE),
    "Of QLoRA and LoftQ:": (changed(FULL, ((*TUNE, "type"), "QLoRA")), TUNE),
    "Of LoftQ:": (changed(FULL, ((*TUNE, "type"), "LoftQ")), TUNE),
    "### LoHa, LoKr": (changed(FULL, ((*TUNE, "type"), "LoKr")), TUNE),
    "### `training_args`": (HELD_OUT, (*TUNE, "training_args")),
    "### ModelBuilder": (FULL, ("passes", "export")),
    "### ExtractAdapters": (EXTRACTED, ("passes", "extract")),
    "## `evaluators`": (MEASURED, ("evaluators", "measure")),
    "## `engine`": (FULL, ("engine",)),
    "## The rest of the root": (FULL, ()),
}
"""Heading to a config, and the place in it where the table's keys stand."""

LOAD_TABLE, PROCESS_TABLE = "### `load_dataset_config`", "### `pre_process_data_config`"
TUNING_TABLE = "### LoRA, QLoRA, DoRA, LoftQ"
PAIR = {"text_template": None, "dataset_type": "pair"}
REGISTRY = {"model_path": {"type": "azureml_registry_model", "name": "org/model"}}
DATASTORE = {"data_name": "json", "data_files": {"type": "azureml_datastore", "relative_path": "q.jsonl"}}
BESIDE: dict[tuple[str, str], dict[str, Any]] = {
    ("## `input_model`", "hf_config.model_name"): {"model_path": None},
    **{("## `input_model`", f"model_path.{key}"): REGISTRY for key in ("registry_name", "version", "azureml_client")},
    **{(LOAD_TABLE, f"data_files.{key}"): DATASTORE for key in ("relative_path", "azureml_client", "datastore_name")},
    **{(PROCESS_TABLE, key): {"strategy": None} for key in ("strategy", "corpus_strategy")},
    (PROCESS_TABLE, "dataset_type"): {"text_template": None, "input_col": "question", "output_col": "answer"},
    **{(PROCESS_TABLE, key): PAIR for key in ("input_col", "target_col", "output_col", "ignore_source_in_labels")},
    (PROCESS_TABLE, "stride"): {"strategy": "join-sliding-window"},
    (PROCESS_TABLE, "random_seed"): {"strategy": "join-random"},
    (PROCESS_TABLE, "chat_template"): {"text_template": None},
    (PROCESS_TABLE, "message_col"): {"text_template": None, "chat_template": True},
    (TUNING_TABLE, "lora_r"): {"r": None},
    ("### ExtractAdapters", "type"): {"type": None},
    ("### LoHa, LoKr", "layers_pattern"): {"layers_to_transform": [0]},
}
"""What else must be there, so that a key has a meaning."""
VALUE_DECIDES = {(LOAD_TABLE, "data_name"): {"data_files": "a.txt"}}
"""The same, where the example is one of a file's loaders."""
LOADERS = ("json", "csv", "text")


@dataclass(frozen=True)
class Row:
    """What the page says of one key."""

    heading: str
    key: str
    example: Any
    fields: dict[str, Any]
    """Path below spec to the value that it has there."""
    verdicts: frozenset[str]
    """Of same, reported, error."""

    @property
    def config(self) -> dict[str, Any]:
        """Without the key."""
        return TABLES[self.heading][0]

    @property
    def steps(self) -> Steps:
        return (*TABLES[self.heading][1], *way(self.key))

    def __str__(self) -> str:
        return f"{self.heading.strip('#` ')}: {self.key}: {json.dumps(self.example)[:40]}"


def rows() -> Iterator[Row]:
    """Every key of every table."""
    heading = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#") or line.endswith(":"):
            heading = line
        if line.startswith("| `"):
            keys, example, manifest, _ = line[2:-1].split(" | ", 3)
            said = dict(field for code in CODE.findall(manifest) for field in [_field(code)])
            verdicts = frozenset(re.findall(r"same|reported|error", CODE.sub("", manifest)))
            for key in CODE.findall(keys):
                yield Row(heading, key, json.loads(example.strip("`")), said, verdicts)


def is_about(note: Note, row: Row) -> bool:
    """Whether it is about the key, what it lies in, or what lies in it."""
    return note.steps != () and all(one == other for one, other in zip(note.steps, row.steps, strict=False))


def imported_row(row: Row, *, given: bool, value: Any = None) -> Imported:
    """The table's config with a row's key, or without it.

    Args:
        row: of the table.
        given: whether the key is there.
        value: instead of the example.
    """
    place = TABLES[row.heading][1]
    beside = BESIDE.get((row.heading, row.key), {})
    if row.example in LOADERS:
        beside = VALUE_DECIDES.get((row.heading, row.key), beside)
    changes = [((*place, key), item) for key, item in beside.items()]
    if given:
        changes.append((row.steps, row.example if value is None else value))
    return _cached(json.dumps(changed(row.config, *changes)))


@cache
def _cached(config: str) -> Imported:
    return imported(json.loads(config))


def way(path: str) -> Steps:
    """a[0].b → ("a", 0, "b")"""
    found = [INDEX.fullmatch(part) for part in path.split(".")]
    return tuple(step for part in found if part for step in (part[1], *([int(part[2])] if part[2] else [])))


def _field(code: str) -> tuple[str, Any]:
    found = FIELD.fullmatch(code)
    assert found, code
    return found[1], yaml.safe_load(found[2])
