"""Committed outputs: one manifest decides, and what it names is what a reader gets."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.commit import Cache
from stores import in_parallel, open_store

KEY = "0" * 32
UPSTREAM = {"input": "digest-of-the-base"}


@pytest.fixture(params=["s3", "volume"])
def cache(place, request):
    return Cache(open_store(place, request.param), "team")


def output(tmp_path, text="weights", name="output"):
    folder = tmp_path / name
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "deep/model.bin").write_text(text)
    return folder


def commit(cache, folder, attempt="pod-1", inputs=UPSTREAM, **more):
    given = {"kind": "lora", "pass_version": 1, "metrics": {"loss": "1.25"}, "libraries": {}} | more
    return cache.commit(KEY, folder, attempt=attempt, inputs=inputs, **given)


def loaded(cache, manifest, target):
    cache.load(KEY, manifest, target)
    return (target / "deep/model.bin").read_text()


def tamper(cache, manifest, data):
    cache.store.put(f"{cache.attempt_folder(KEY, manifest.attempt)}/deep/model.bin", data)


def test_a_committed_output_is_found_and_loaded_with_its_figures(cache, tmp_path):
    made, ours = commit(cache, output(tmp_path))

    found = cache.find(KEY, UPSTREAM)
    assert ours
    assert found == made
    assert found.metrics == {"loss": "1.25"}
    assert loaded(cache, found, tmp_path / "copy") == "weights"


def test_the_digest_is_of_names_and_contents_alone(cache, tmp_path):
    first, _ = commit(cache, output(tmp_path), attempt="pod-1")
    cache.forget(KEY, first)
    second, _ = commit(cache, output(tmp_path), attempt="pod-2", metrics={})
    cache.forget(KEY, second)
    other, _ = commit(cache, output(tmp_path, text="others"), attempt="pod-3")

    assert first.digest == second.digest != other.digest


def test_files_without_a_manifest_are_no_output(cache):
    cache.store.put(f"{cache.attempt_folder(KEY, 'pod-1')}/config.json", b"{}")
    assert cache.find(KEY, UPSTREAM) is None


def test_the_manifest_is_written_after_all_files(cache, tmp_path, monkeypatch):
    """Whenever a writer dies before its manifest, nothing is committed."""
    written = []
    for method in ("upload", "put_if_absent"):
        monkeypatch.setattr(cache.store, method, _noting(written, getattr(cache.store, method)))
    commit(cache, output(tmp_path))

    names = [name.rpartition("/")[2] for name in written]
    assert sorted(names[:-1]) == ["config.json", "model.bin"]
    assert names[-1] == "manifest.json"


def test_of_writers_at_once_all_end_with_the_same_output_and_no_mixture(cache, tmp_path):
    folders = [output(tmp_path, text=f"weights of {number}", name=f"output-{number}") for number in range(6)]

    results = in_parallel(lambda number: commit(cache, folders[number], attempt=f"pod-{number}"), 6)

    winners = [number for number, (_, ours) in enumerate(results) if ours]
    assert len(winners) == 1
    assert {manifest.attempt for manifest, _ in results} == {f"pod-{winners[0]}"}
    assert loaded(cache, cache.find(KEY, UPSTREAM), tmp_path / "copy") == f"weights of {winners[0]}"


def test_of_writers_that_replace_an_output_at_once_one_replaces_it_and_the_others_take_what_it_made(cache, tmp_path):
    commit(cache, output(tmp_path, text="stale"), attempt="pod-0", inputs={"input": "an older upstream"})
    folders = [output(tmp_path, text=f"weights of {number}", name=f"output-{number}") for number in range(6)]

    results = in_parallel(lambda number: commit(cache, folders[number], attempt=f"pod-{number + 1}"), 6)

    winners = [number for number, (_, ours) in enumerate(results) if ours]
    assert len(winners) == 1
    assert {manifest.attempt for manifest, _ in results} == {f"pod-{winners[0] + 1}"}
    assert loaded(cache, cache.find(KEY, UPSTREAM), tmp_path / "copy") == f"weights of {winners[0]}"


def test_the_losers_files_are_removed(cache, tmp_path):
    commit(cache, output(tmp_path), attempt="pod-1")
    commit(cache, output(tmp_path, text="late", name="late"), attempt="pod-2")
    assert list(cache.store.list(cache.attempt_folder(KEY, "pod-2"))) == []


def test_an_output_of_other_inputs_does_not_count_and_is_replaced(cache, tmp_path):
    commit(cache, output(tmp_path, text="stale"), attempt="pod-1", inputs={"input": "an older upstream"})
    assert cache.find(KEY, UPSTREAM) is None

    _, ours = commit(cache, output(tmp_path, text="fresh"), attempt="pod-2")

    assert ours
    assert loaded(cache, cache.find(KEY, UPSTREAM), tmp_path / "copy") == "fresh"


def test_an_output_with_a_missing_file_does_not_count_and_is_replaced(cache, tmp_path):
    made, _ = commit(cache, output(tmp_path), attempt="pod-1")
    cache.store.delete(f"{cache.attempt_folder(KEY, 'pod-1')}/deep/model.bin")
    assert cache.find(KEY, UPSTREAM) is None

    replaced, ours = commit(cache, output(tmp_path), attempt="pod-2")
    assert ours
    assert replaced.attempt == "pod-2"
    assert made.digest == replaced.digest


def test_a_file_of_other_content_is_found_out_and_the_output_made_anew(cache, tmp_path):
    made, _ = commit(cache, output(tmp_path))
    tamper(cache, made, b"weighty")  # as long as before

    with pytest.raises(FineTuneError, match=r"model\.bin is not what was committed") as caught:
        cache.load(KEY, made, tmp_path / "copy")
    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
    assert cache.find(KEY, UPSTREAM) is None

    _, ours = commit(cache, output(tmp_path))
    assert ours
    assert loaded(cache, cache.find(KEY, UPSTREAM), tmp_path / "again") == "weights"


def test_a_second_attempt_of_one_pod_does_not_write_over_the_first(cache, tmp_path):
    first, _ = commit(cache, output(tmp_path))
    cache.forget(KEY, first)
    second, _ = commit(cache, output(tmp_path))
    assert (first.attempt, second.attempt) == ("pod-1", "pod-1-2")


def test_forgetting_spares_what_has_taken_the_outputs_place(cache, tmp_path):
    first, _ = commit(cache, output(tmp_path), attempt="pod-1", inputs={"input": "older"})
    commit(cache, output(tmp_path), attempt="pod-2")
    cache.forget(KEY, first)
    assert cache.find(KEY, UPSTREAM) is not None


def test_a_manifest_that_cannot_be_read_does_not_count_and_is_replaced(cache, tmp_path):
    cache.store.put(f"{cache.folder(KEY)}/manifest.json", b"not JSON")
    assert cache.find(KEY, UPSTREAM) is None

    commit(cache, output(tmp_path))
    assert cache.find(KEY, UPSTREAM) is not None


def test_namespaces_do_not_see_each_others_outputs(cache, tmp_path):
    commit(cache, output(tmp_path))
    assert Cache(cache.store, "another").find(KEY, UPSTREAM) is None


def _noting(written, method):
    """The method, with the key it writes noted."""

    def noting(first, second):
        written.append(second if isinstance(second, str) else first)
        return method(first, second)

    return noting
