"""finetune validate: what the API server would refuse of an object's metadata, and whose object it is."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api_specs import wire_spec
from finetune_api import API_VERSION, KIND


def written(folder: Path, metadata: Any, **envelope: Any) -> Path:
    file = folder / "job.yaml"
    job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": wire_spec(), **envelope}
    file.write_text(yaml.safe_dump(job))
    return file


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"name": 12}, 'metadata.name: a text is asked for (write it in quotes: "12")'),
        (
            {"name": True},
            'metadata.name: a text is asked for (write it in quotes as it stands there, such as "true" or "yes")',
        ),
        ({"name": "Tone_1"}, "metadata.name: 'Tone_1' is not a name"),
        ({"name": "a" * 254}, "metadata.name: has 254 characters (use 253 or fewer)"),
        ({"name": "a", "namespace": "Team_A"}, "metadata.namespace: 'Team_A' is not a name"),
        ({"name": "a", "namespace": 5}, "metadata.namespace: a text is asked for"),
        ({"generateName": 5}, "metadata.generateName: a text is asked for"),
        ({"name": "a", "labels": ["x"]}, "metadata.labels: an object is asked for"),
        (
            {"name": "a", "labels": {"on": False}},
            'metadata.labels[on]: a text is asked for (write it in quotes as it stands there, such as "false"',
        ),
        ({"name": "a", "labels": {"a": "b c"}}, "metadata.labels[a]: 'b c' is not a label"),
        ({"name": "a", "labels": {"a": "b" * 64}}, "metadata.labels[a]: has 64 characters (use 63 or fewer)"),
        ({"name": "a", "labels": {"a b": "c"}}, "metadata.labels: 'a b' is not a key"),
        ({"name": "a", "labels": {"/a": "c"}}, "metadata.labels: '/a' is not a key"),
        (
            {"name": "a", "annotations": {"a": 5}},
            'metadata.annotations[a]: a text is asked for (write it in quotes: "5")',
        ),
        ({"name": "a", "finalizers": "x"}, "metadata.finalizers: a list is asked for"),
    ],
)
def test_what_the_api_server_refuses_of_metadata_is_named(finetune, tmp_path, metadata, said):
    ended = finetune("validate", written(tmp_path, metadata))
    assert (ended.code, said in ended.err) == (1, True), ended.err


def test_metadata_as_people_write_it_is_taken(finetune, tmp_path):
    labels = {"app.kubernetes.io/part-of": "tone", "team": "NLP_1.2", "empty": ""}
    metadata = {"name": "tone.v2", "namespace": "team-a", "labels": labels, "annotations": {"note": "any text\n…"}}
    ended = finetune("validate", written(tmp_path, metadata))
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("kind", ["FinetuneJob", "finetunejob", "FineTuneJobs"])
def test_an_object_of_our_group_is_not_left_alone_for_a_misspelt_kind(finetune, tmp_path, kind):
    ended = finetune("validate", written(tmp_path, {"name": "tone"}, kind=kind))
    assert (ended.code, f"kind: {kind!r} is unknown (write kind: FineTuneJob)" in ended.err) == (1, True), ended.err


def test_a_list_of_our_own_kind_is_checked_item_by_item(finetune, tmp_path):
    file = written(tmp_path, {"name": "tone"})
    item = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({"apiVersion": API_VERSION, "kind": f"{KIND}List", "items": [item]}))
    assert finetune("validate", file).out.count("FineTuneJob tone is valid") == 1


def test_two_jobs_of_one_name_in_a_file_are_named(finetune, tmp_path):
    file = written(tmp_path, {"name": "tone"})
    file.write_text(f"{file.read_text()}---\n{file.read_text()}")
    ended = finetune("validate", file)
    assert (ended.code, "metadata.name: 'tone' is used twice in namespace default" in ended.err) == (1, True)


def test_a_document_that_is_no_object_is_called_what_it_is(finetune, tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text("- apiVersion: v1\n")
    assert (
        "job.yaml: FineTuneJob ?: the document: a list, where an object is asked for" in finetune("validate", file).err
    )
