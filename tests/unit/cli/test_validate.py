"""finetune validate: everything that can be said without a cluster."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from api_specs import wire_spec
from command_line import REPOSITORY
from finetune_api import API_VERSION, KIND
from finetune_cli.manifest import check

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))


def manifest(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}, "spec": wire_spec(**spec)}


def written(folder: Path, *documents: Any) -> Path:
    file = folder / "job.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    return file


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid(finetune, example):
    ended = finetune("validate", example)
    assert (ended.code, ended.err) == (0, "")


def test_every_problem_is_named_with_its_place(finetune, tmp_path):
    job = manifest()
    job["spec"]["passes"][0]["lora"]["rank"] = 8
    job["spec"]["backoffLimit"] = 99
    job["metadata"]["name"] = "Tone!"

    ended = finetune("validate", written(tmp_path, job))

    assert ended.code == 1
    for place in ("spec.passes[0].lora.rank: unknown field", "spec.backoffLimit:", "metadata.name: 'Tone!'"):
        assert place in ended.err


def test_a_number_written_as_text_is_refused_as_the_api_server_does(finetune, tmp_path):
    job = manifest()
    job["spec"]["passes"][0]["lora"]["r"] = "8"
    ended = finetune("validate", written(tmp_path, job))
    assert (ended.code, "spec.passes[0].lora.r:" in ended.err) == (1, True)


def test_a_learning_rate_of_1e_4_is_a_number(finetune, tmp_path):
    text = yaml.safe_dump(manifest()).replace(
        "trainData: tones", "trainData: tones\n      training: {learningRate: 1e-4}"
    )
    file = tmp_path / "job.yaml"
    file.write_text(text)
    ended = finetune("validate", file)
    assert (ended.code, ended.err) == (0, "")


def test_several_jobs_in_a_file_are_checked_and_other_objects_left_alone(finetune, tmp_path):
    wrong = manifest() | {"metadata": {"name": "other"}}
    wrong["spec"]["passes"][0]["lora"]["trainData"] = "tonez"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}}

    ended = finetune("validate", written(tmp_path, secret, manifest(), wrong))

    assert ended.code == 1
    assert "FineTuneJob tone is valid" in ended.out
    assert "no data config is named 'tonez'" in ended.err


def test_a_list_is_checked_item_by_item(finetune, tmp_path):
    listed = {"apiVersion": "v1", "kind": "List", "items": [manifest(), manifest() | {"metadata": {"name": "other"}}]}
    assert finetune("validate", written(tmp_path, listed)).out.count("is valid") == 2


def test_a_null_is_a_field_that_is_not_there(finetune, tmp_path):
    job = manifest()
    job["spec"]["output"] = None
    assert finetune("validate", written(tmp_path, job)).code == 0


def test_a_misspelt_kind_or_version_is_named(finetune, tmp_path):
    job = manifest() | {"apiVersion": "finetune-operator.dev/v2"}
    ended = finetune("validate", written(tmp_path, job))
    assert f"write apiVersion: {API_VERSION}" in ended.err


@pytest.mark.parametrize(
    ("names", "asked", "said"),
    [
        (["a", "b"], "", "holds a, b; say which by --name"),
        (["a", "b"], "c", "holds no job named 'c'; there is a, b"),
        (["a", "a"], "a", "holds a, a; give each a name of its own"),
    ],
)
def test_one_job_of_a_file_is_asked_for_in_words_that_help(finetune, tmp_path, names, asked, said):
    file = written(tmp_path, *(manifest() | {"metadata": {"name": name}} for name in names))
    ended = finetune("preview", file, "--name", asked)
    assert (ended.code, said in ended.err) == (2, True), ended.err


@pytest.mark.parametrize("content", [b"", b"kind: Secret\n", b"a: [", b"\xff\xfe", b"42", b"- 1"])
def test_what_is_no_job_ends_with_1_and_a_sentence(finetune, tmp_path, content):
    file = tmp_path / "job.yaml"
    file.write_bytes(content)
    ended = finetune("validate", file)
    assert (ended.code, ended.is_bug) == (1, False)
    assert "job.yaml" in ended.err


def test_a_file_that_is_not_there_is_named(finetune):
    ended = finetune("validate", "/nowhere/job.yaml")
    assert (ended.code, "/nowhere/job.yaml" in ended.err) == (2, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def bent_manifests(draw):
    """A valid manifest with one part replaced by anything."""
    job = deepcopy(manifest())
    place = job
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or draw(st.booleans()):
            place[key] = draw(JSON)
            return job
        place = inner


@given(bent_manifests())
def test_no_input_makes_it_print_a_traceback(finetune, tmp_path, job):
    file = tmp_path / "job.json"
    file.write_text(json.dumps(job))
    ended = finetune("validate", file)
    assert (ended.code in {0, 1}, ended.is_bug) == (True, False), ended.err


@given(bent_manifests())
def test_a_valid_manifest_round_trips(job):
    found = check(job)
    if found.valid and found.spec:
        again = check(job | {"spec": found.spec.to_wire()})
        assert again.valid
        assert again.spec == found.spec


def test_a_job_as_kubectl_get_prints_it_is_valid(finetune, tmp_path):
    job = manifest()
    job["metadata"] |= {"uid": "0f7c7a36", "resourceVersion": "7", "generation": 1, "managedFields": []}
    job["metadata"]["creationTimestamp"] = "2026-11-24T12:00:00Z"
    job["status"] = {"phase": "Complete"}
    ended = finetune("validate", written(tmp_path, {"kind": "List", "apiVersion": "v1", "items": [job]}))
    assert (ended.code, ended.err) == (0, "")


PHI3_MINI = {
    "model_type": "phi3",
    "hidden_size": 3072,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "intermediate_size": 8192,
    "vocab_size": 32064,
}


def with_model(folder, memory, **fields):
    """The command's arguments for a job whose model lies in a claim."""
    (folder / "phi").mkdir()
    (folder / "phi" / "config.json").write_text(json.dumps(PHI3_MINI))
    job = manifest(systems=[{"name": "gpu", "accelerator": {"memory": memory}}, {"name": "cpu"}])
    job["spec"]["inputModel"] = {"source": {"volume": {"claimName": "models", "path": "phi"}}}
    job["spec"]["passes"][0]["lora"] |= fields
    return "validate", written(folder, job), f"--mount=models={folder}"


def test_a_model_at_hand_tells_how_much_memory_its_passes_take(finetune, tmp_path):
    ended = finetune(*with_model(tmp_path, "80Gi"))

    assert ended.code == 0
    assert "note: pass" in ended.err
    assert "GiB of memory (weights 7.12, adapter with optimizer" in ended.err


def test_weights_that_do_not_fit_the_accelerator_are_a_problem(finetune, tmp_path):
    ended = finetune(*with_model(tmp_path, "4Gi"))

    assert ended.code == 1
    assert "spec.passes[0].lora: weights and adapter alone take" in ended.err


def test_a_layer_that_the_model_at_hand_does_not_have_is_a_problem(finetune, tmp_path):
    ended = finetune(*with_model(tmp_path, "80Gi", targetModules=["q_proj"]))

    assert ended.code == 1
    assert "spec.passes[0].lora.targetModules[0]: no linear layer of the model is named 'q_proj'" in ended.err
    assert "There are: qkv_proj, o_proj, gate_up_proj, down_proj, lm_head." in ended.err
