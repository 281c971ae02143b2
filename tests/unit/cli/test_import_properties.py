"""finetune import, whatever a config holds: a manifest that is valid, or a sentence; and nothing is lost silently."""

import json
from functools import cache
from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from command_line import REPOSITORY
from finetune_api.crd import custom_resource_definition
from finetune_api.resource.training import Training
from finetune_api.training_arguments import FURTHER, REFUSED
from finetune_cli.kubectl_yaml import dump_document, load_documents
from finetune_cli.manifest import checked
from finetune_cli.olive.notes import Kind
from olive_configs import changed, imported
from olive_table import HELD_OUT, MEASURED, TUNE, imported_row, is_about, rows

SEED = json.loads((REPOSITORY / "examples" / "olive" / "olive-config.json").read_text())
ROWS = list(rows())
ARGUMENTS = [name for name in (*Training.names(), *FURTHER, *REFUSED) if name not in ("extra", "dtype")]
TEXTS = ["", "x", "yes", "1e-4", "a/b", "../a", "s3://b/c", "https://a/b", "{a}", "{", "\n", "ä", "\0", "a" * 300]
SAME_ANYWAY = [("greater_is_better", False), ("load_best_model_at_end", False)]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(TEXTS), st.text(max_size=20)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*TEXTS, "type", "config"]), inner),
    max_leaves=6,
)
EXAMPLES = st.sampled_from([row.example for row in ROWS])


@st.composite
def configs(draw: st.DrawFn) -> Any:
    """A config in which some values are others, of any kind, or of another key."""
    config = draw(st.sampled_from([MEASURED, SEED]))
    for _ in range(draw(st.integers(0, 3))):
        places = [steps for steps in _places(config) if steps]
        config = changed(config, (draw(st.sampled_from(places)), draw(EXAMPLES | VALUES)))
    return config


@given(configs())
def test_any_config_becomes_a_manifest_that_is_valid_or_says_why_not(config):
    found = imported(config)
    if found.manifest is None:
        assert [note for note in found.notes if note.kind is Kind.ERROR]
        return
    [job] = checked([found.manifest]).jobs
    assert job.problems == []
    assert [error.message for error in _crd().iter_errors(found.manifest)] == []
    assert load_documents(dump_document(found.manifest)) == [found.manifest]


@given(st.sampled_from(ROWS))
def test_what_nobody_knows_is_never_lost_silently(row):
    """At each key of docs/olive.md: it stands in the manifest, or is reported, or there is no manifest."""
    found = imported_row(row, given=True, value={"unheard-of": 1})
    reported = [note for note in found.notes if note.kind is not Kind.NOTE and is_about(note, row)]
    assert reported or "unheard-of" in json.dumps(found.manifest)


@given(st.sampled_from(ARGUMENTS), VALUES.filter(lambda value: value not in (None, {}, [])))
def test_every_argument_of_transformers_is_carried_or_reported(name, value):
    steps = (*TUNE, "training_args", name)
    found = imported(changed(HELD_OUT, (steps, value)))
    assert found.manifest
    reported = [note for note in found.notes if note.kind is not Kind.NOTE and note.steps[: len(steps)] == steps]
    training = found.manifest["spec"]["passes"][0]["lora"]["training"]
    carried = name in training.get("extra", {}) or Training.names().get(name) in training
    assert reported or carried or (name, value) in SAME_ANYWAY


@given(st.one_of(st.binary(max_size=200), st.builds(json.dumps, configs() | VALUES).map(str.encode)))
def test_no_file_makes_import_print_a_traceback(finetune, tmp_path, content):
    file = tmp_path / "olive.json"
    file.write_bytes(content)
    ended = finetune("import", file)
    assert not ended.is_bug
    assert ended.code == 0 or (ended.code == 1 and ended.err and not ended.out)


def _places(value: Any, steps: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [steps, *(place for key, item in inner for place in _places(item, (*steps, key)))]


@cache
def _crd() -> jsonschema.Draft4Validator:
    """What the API server checks; draft 4, since OpenAPI 3.0 writes exclusiveMinimum as it does."""
    version = custom_resource_definition()["spec"]["versions"][0]
    return jsonschema.Draft4Validator(version["schema"]["openAPIV3Schema"])
