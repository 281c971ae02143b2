"""Trackers are told what training logs, from before the first step to the last evaluation; and cost nothing else."""

import shutil
import struct
import threading

import mlflow
import pytest
from safetensors.torch import load_file, save_file

from finetune_api.failures import FineTuneError, Reason
from finetune_runner import trackers
from finetune_runner.event_files import keep
from finetune_runner.training.tracking import CLOSING_SECONDS, FAILED, KILLED, Trackers, sentence
from passes import lora, tune

TRAINING = {
    "maxSteps": 4,
    "loggingSteps": 2,
    "evalStrategy": "steps",
    "evalSteps": 2,
    "extra": {"eval_on_start": "true"},
}


def tracked(*names, **training):
    return lora(evalFraction=0.25, training={**TRAINING, "reportTo": list(names), **training})


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    """An MLflow whose runs lie in a folder."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    mlflow.set_tracking_uri(f"file://{tmp_path}/mlruns")
    yield mlflow.MlflowClient(f"file://{tmp_path}/mlruns")
    mlflow.set_tracking_uri("")


def runs(client):
    return client.search_runs(["0"])


def test_mlflow_has_one_run_with_every_figure_and_its_end(tiny_phi3, tmp_path, mlflow_store):
    result = tune(tiny_phi3, tmp_path / "adapter", tracked("mlflow"), run_name="tone/tune")

    [run] = runs(mlflow_store)
    assert (run.info.run_name, run.info.status) == ("tone/tune", "FINISHED")
    assert {"loss", "grad_norm", "learning_rate", "tokens_per_second", "backward_seconds"} <= run.data.metrics.keys()
    evaluated = mlflow_store.get_metric_history(run.info.run_id, "eval_loss")
    assert [point.step for point in evaluated] == [0, 2, 4]
    assert f"{evaluated[-1].value:.4f}" == result.metrics["evalLoss"]


def test_the_last_evaluation_belongs_to_the_same_run(tiny_phi3, tmp_path, mlflow_store):
    """With no evaluation at the last step it comes when training has ended."""
    tune(tiny_phi3, tmp_path / "adapter", tracked("mlflow", evalStrategy="no", extra={}))

    [run] = runs(mlflow_store)
    assert [point.step for point in mlflow_store.get_metric_history(run.info.run_id, "eval_loss")] == [4]


def test_a_run_that_fails_is_told_as_failed(tiny_phi3, tmp_path, mlflow_store):
    broken = shutil.copytree(tiny_phi3, tmp_path / "broken")
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(FineTuneError, match="the loss became nan"):
        tune(broken, tmp_path / "adapter", tracked("mlflow", extra={}))

    assert [run.info.status for run in runs(mlflow_store)] == ["FAILED"]


def test_a_tracker_changes_nothing_of_the_output(tiny_phi3, tmp_path, mlflow_store):
    tune(tiny_phi3, tmp_path / "plain", tracked())
    tune(tiny_phi3, tmp_path / "told", tracked("mlflow", "tensorboard"), event_files=tmp_path / "events")

    plain, told = ({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("plain", "told"))
    assert plain == told


def test_a_tracker_that_does_not_answer_before_the_first_step_ends_the_pass(tiny_phi3, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team:s3cret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("")

    with pytest.raises(FineTuneError) as caught:
        tune(tiny_phi3, tmp_path / "adapter", tracked("mlflow"))

    assert caught.value.reason is Reason.TRACKER_UNAVAILABLE
    assert caught.value.path == "spec.passes[0].lora.training.reportTo"
    assert "s3cret" not in str(caught.value)


class Broken:
    """A tracker that was reached once."""

    logging_dir = None

    def __init__(self):
        self.asked = 0

    def on_train_begin(self, *_, **__):
        """It took the run."""

    def on_log(self, *_, **__):
        self.asked += 1
        raise ConnectionError("gone")

    def on_train_end(self, *_, **__):
        raise ConnectionError("gone")


def test_a_tracker_that_fails_later_is_told_no_more_after_the_third_time(tmp_path, caplog):
    followed = Trackers(["tensorboard"], tmp_path, "spec")
    followed._trackers["tensorboard"] = broken = Broken()

    for _ in range(5):
        followed.on_log(None, None, None, {"loss": 1.0})
    followed.close(FAILED)

    assert broken.asked == 3
    assert caplog.text.count("tensorboard was not told: ConnectionError: gone") == 3


def test_what_does_not_arrive_at_the_end_is_not_waited_for_long(tmp_path, monkeypatch, caplog, mlflow_store):
    answered = threading.Event()
    monkeypatch.setattr(mlflow, "flush_async_logging", lambda: answered.wait(60))
    monkeypatch.setitem(CLOSING_SECONDS, KILLED, 0.1)
    followed = Trackers(["mlflow"], tmp_path, "spec")

    followed.close(KILLED)

    answered.set()
    assert "mlflow was not told: TimeoutError: what was logged did not arrive within 0 seconds" in caplog.text


def test_a_login_in_mlflows_address_is_not_left_where_mlflow_prints_it():
    environment = {"MLFLOW_TRACKING_URI": "https://team:s3%40cret@mlflow.example.com:8443/api"}

    trackers.part_login_from_address(environment)

    assert environment == {
        "MLFLOW_TRACKING_URI": "https://mlflow.example.com:8443/api",
        "MLFLOW_TRACKING_USERNAME": "team",
        "MLFLOW_TRACKING_PASSWORD": "s3@cret",
    }
    plain = {"MLFLOW_TRACKING_URI": "file:///runs"}
    trackers.part_login_from_address(plain)
    assert plain == {"MLFLOW_TRACKING_URI": "file:///runs"}


def test_what_the_environment_keeps_secret_is_not_repeated(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "a-t0ken")
    text = sentence(ConnectionError("401 of https://team:s3@cret@host/api with a-t0ken\nmore"))
    assert text == "ConnectionError: 401 of https://…@host/api with …"


def scalars(folder):
    """Names of the scalars in event files: records of a length, its checksum, a protobuf, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for file in sorted(folder.rglob("events.out.tfevents.*")):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            found += [(value.tag, event.step) for value in event.summary.value if value.HasField("simple_value")]
            data = data[16 + length :]
    return found


def test_tensorboards_files_lie_where_they_are_kept_and_not_in_the_output(tiny_phi3, tmp_path, place):
    events = tmp_path / "events"
    tune(tiny_phi3, tmp_path / "adapter", tracked("tensorboard"), event_files=events)

    assert not list((tmp_path / "adapter").rglob("events.*"))
    told = scalars(events)
    assert {("train/loss", 2), ("train/loss", 4), ("eval/loss", 0), ("eval/loss", 4)} <= set(told)

    job = place.job(place.spec())
    keep(job, "tune", events)
    [kept] = [info.key for info in job.store.list(f"{job.folder}/tensorboard/tune/")]
    assert kept.endswith(next(events.rglob("events.*")).name)


def test_what_a_tracker_needs_is_asked_before_anything_else(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(FineTuneError, match="mlflow needs the environment variable MLFLOW_TRACKING_URI") as unset:
        trackers.require(["mlflow"], "spec.passes[0].lora.training.reportTo")
    assert unset.value.reason is Reason.INVALID_SPEC

    with pytest.raises(FineTuneError, match="the runner's image has no wandb") as missing:
        trackers.require(["tensorboard", "wandb"], "spec.passes[0].lora.training.reportTo")
    assert missing.value.reason is Reason.INVALID_SPEC
    assert "image of the system" in missing.value.remedy


def test_a_tracker_that_is_there_and_does_not_work_is_refused(tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "__init__.py").write_text("import a_library_that_is_not_there")
    monkeypatch.syspath_prepend(tmp_path)
    trackers_path = "spec.passes[0].lora.training.reportTo"

    with pytest.raises(FineTuneError, match="No module named 'a_library_that_is_not_there'") as caught:
        Trackers(["wandb"], tmp_path, trackers_path)

    assert (caught.value.reason, caught.value.path) == (Reason.INVALID_SPEC, trackers_path)
