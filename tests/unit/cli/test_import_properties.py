"""finetune import, whatever a config holds: a manifest that is valid, or a sentence; and nothing is lost silently."""

import json
from functools import cache

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from finetune_api.resource.training import Training
from finetune_api.training_arguments import FURTHER, REFUSED
from finetune_cli.kubectl_yaml import dump_document, load_documents
from finetune_cli.manifest import checked
from finetune_cli.olive.notes import Kind
from finetune_cli.olive.training import AS_HERE
from olive_any import ROWS, VALUES, configs
from olive_configs import changed, imported
from olive_table import HELD_OUT, TUNE, imported_row, is_about
from schemas import crd_schema

ARGUMENTS = [name for name in (*Training.names(), *FURTHER, *REFUSED) if name not in ("extra", "dtype")]
SAME_ANYWAY = [(name, False) for name in ("load_best_model_at_end", *AS_HERE)]


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


@cache
def _crd() -> jsonschema.Draft4Validator:
    """What the API server checks; draft 4, since OpenAPI 3.0 writes exclusiveMinimum as it does."""
    return jsonschema.Draft4Validator(crd_schema())
