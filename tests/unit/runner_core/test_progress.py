"""Progress: what the passes report, and what is served of it."""

import http.client
import json
import socket
import struct
import threading
import urllib.error
import urllib.request

import pytest

from finetune_api.messages import PassOutcome, TerminationMessage
from finetune_runner.passes.telemetry import PeakMemory, StepSeconds, Telemetry
from finetune_runner.progress.server import serving
from finetune_runner.progress.state import ProgressState
from finetune_runner.store.outages import Lasting

TOLD = Telemetry(
    learning_rate=0.0002,
    gradient_norm=1.5,
    padding=0.125,
    step=StepSeconds(data=0.01, forward=0.2, backward=0.4, optimizer=0.03),
    memory=PeakMemory(host=3 * 2**30, accelerator=5 * 2**30, reserved=6 * 2**30),
    utilisation=0.4321,
)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def ends_at_once(monkeypatch):
    """A server that looks more often whether it is to end: no test need wait for it."""
    monkeypatch.setattr("finetune_runner.progress.server.POLL_SECONDS", 0.005)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(clock):
    state = ProgressState(clock)
    state.start("tune")
    return state


def fetched(server, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_what_does_not_answer_is_told_while_it_is_waited_for(clock):
    lasting = [Lasting(since=1_700_000_000.0, message="spec.store.s3: it is away")]
    state = ProgressState(clock, outage=lambda: lasting[0] if lasting else None)
    state.start("tune")
    state.report(step=3, total_steps=10)
    assert state.snapshot().to_wire()["outage"] == {
        "message": "spec.store.s3: it is away",
        "since": "2023-11-14T22:13:20Z",
    }
    assert state.snapshot().step == 3
    lasting.clear()
    assert "outage" not in state.snapshot().to_wire()


def test_so_it_is_where_there_is_no_pass_as_in_prepare():
    state = ProgressState(outage=lambda: Lasting(since=1_700_000_000.0, message="the hub is away"))
    told = state.snapshot()
    assert (told.pass_, told.outage.message) == ("", "the hub is away")
    with serving(state, 0) as server:
        assert fetched(server, "/metrics")[1] == ""


def test_before_a_pass_starts_there_is_no_progress_nor_once_prepare_waits_for_none(state):
    assert ProgressState().snapshot() is None
    state.report(step=3, total_steps=10, telemetry=TOLD)
    state.rest()
    assert (state.snapshot(), state.telemetry()) == (None, None)


def test_a_report_gives_percent_and_figures_as_text(state):
    state.report(step=30, total_steps=120, loss=1.8349, tokens_per_second=5120.4)
    progress = state.snapshot()
    assert (progress.pass_, progress.step, progress.percent) == ("tune", 30, 25)
    assert (progress.loss, progress.tokens_per_second) == ("1.8349", "5120")


def test_figures_that_are_not_reported_keep_their_last_value(state):
    state.report(step=1, total_steps=4, loss=2.0)
    state.report(step=2, total_steps=4)
    assert state.snapshot().loss == "2.0000"


def test_the_rest_is_estimated_from_the_pace_since_the_first_report(state, clock):
    clock.now = 500.0  # loading the model says nothing about the pace
    state.report(step=0, total_steps=100)
    assert state.snapshot().eta_seconds is None
    clock.now = 520.0
    state.report(step=10, total_steps=100)
    assert state.snapshot().eta_seconds == 180


def test_without_a_known_end_there_is_no_estimate(state, clock):
    state.report(step=0, total_steps=0)
    clock.now = 5.0
    state.report(step=10, total_steps=0)
    assert state.snapshot().eta_seconds is None
    assert state.snapshot().percent == 0


def test_the_next_pass_begins_with_nothing_of_the_last(state):
    state.report(step=4, total_steps=4, loss=2.0, telemetry=TOLD)
    state.start("merge")
    progress = state.snapshot()
    assert (progress.pass_, progress.step, progress.loss, progress.training) == ("merge", 0, "", None)
    assert state.telemetry() is None


def test_progress_is_served_as_the_resource_has_it(state):
    state.report(step=2, total_steps=4, loss=1.5)
    with serving(state, 0) as server:
        kind, body = fetched(server, "/progress")
    assert kind == "application/json"
    assert json.loads(body) | {"lastUpdateTime": ""} == {
        "pass": "tune",
        "step": 2,
        "totalSteps": 4,
        "percent": 50,
        "loss": "1.5000",
        "tokensPerSecond": "",
        "lastUpdateTime": "",
    }


def test_metrics_are_served_as_prometheus_reads_them(state):
    state.report(step=2, total_steps=4, loss=1.5)
    with serving(state, 0) as server:
        kind, body = fetched(server, "/metrics")
    assert kind.startswith("text/plain")
    assert 'finetune_step{pass="tune"} 2.0' in body
    assert 'finetune_training_loss{pass="tune"} 1.5' in body
    assert "finetune_eta_seconds" not in body


def test_a_training_loops_figures_are_served_until_newer_ones_come(state):
    state.report(step=10, total_steps=40, telemetry=TOLD)
    state.report(step=11, total_steps=40, loss=1.5)
    with serving(state, 0) as server:
        told = json.loads(fetched(server, "/progress")[1])["training"]
        body = fetched(server, "/metrics")[1]
    assert told == {
        "learningRate": "0.0002",
        "gradientNorm": "1.5",
        "paddingPercent": "12.5",
        "stepSeconds": {"data": "0.01", "forward": "0.2", "backward": "0.4", "optimizer": "0.03"},
        "acceleratorPeakBytes": 5368709120,
        "acceleratorReservedBytes": 6442450944,
        "hostPeakBytes": 3221225472,
        "modelFlopsUtilisationPercent": "43.21",
    }
    assert 'finetune_training_learning_rate{pass="tune"} 0.0002' in body
    assert 'finetune_training_gradient_norm{pass="tune"} 1.5' in body
    assert 'finetune_training_padding_ratio{pass="tune"} 0.125' in body
    assert 'finetune_training_step_seconds{part="backward",pass="tune"} 0.4' in body
    assert 'finetune_training_accelerator_peak_memory_bytes{pass="tune"} 5.36870912e+09' in body
    assert 'finetune_training_accelerator_reserved_memory_bytes{pass="tune"} 6.442450944e+09' in body
    assert 'finetune_training_host_peak_memory_bytes{pass="tune"} 3.221225472e+09' in body
    assert 'finetune_training_model_flops_utilisation_ratio{pass="tune"} 0.4321' in body


def test_figures_that_are_not_known_are_not_served(state):
    state.report(step=10, total_steps=40, telemetry=Telemetry(padding=0.0, memory=PeakMemory(host=2**30)))
    with serving(state, 0) as server:
        body = fetched(server, "/metrics")[1]
    assert 'finetune_training_padding_ratio{pass="tune"} 0.0' in body
    assert "step_seconds" not in body
    assert "gradient_norm" not in body
    assert "accelerator" not in body
    assert "utilisation" not in body


def test_health_is_served_even_before_a_pass_starts():
    with serving(ProgressState(), 0) as server:
        assert fetched(server, "/healthz")[1] == "ok\n"
        assert fetched(server, "/progress")[1] == ""
        assert fetched(server, "/outcome")[1] == ""


def test_what_is_committed_so_far_is_served_before_the_last_word(state):
    so_far = TerminationMessage(kind="stage", passes=[PassOutcome(index=0, key="0" * 32, digest="d", size_bytes=3)])
    state.tell(so_far)
    with serving(state, 0) as server:
        assert TerminationMessage.decode(fetched(server, "/outcome")[1]) == so_far


def test_a_passes_checkpoint_is_shown_while_it_runs_and_is_none_of_the_next(state):
    state.start("tune")
    state.keeps(40)
    state.report(step=50, total_steps=100)
    assert state.snapshot().checkpoint_step == 40
    state.start("again")
    assert state.snapshot().checkpoint_step is None


def test_anything_else_is_not_found(state):
    with serving(state, 0) as server, pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(server, "/etc/passwd")


def test_a_port_in_use_does_not_stop_the_work(state):
    with serving(state, 0) as first, serving(state, first.port) as second:
        assert second is None
        assert fetched(first, "/healthz")[1] == "ok\n"


def test_a_client_that_gives_up_leaves_no_traceback_in_the_stages_log(state, capsys):
    reset = struct.pack("ii", 1, 0)
    with serving(state, 0) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"GET /progress HTTP/1.1\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        # Connections are taken in turn, so the one before has its thread by now.
        fetched(server, "/healthz")
        for thread in threading.enumerate():
            if "process_request_thread" in thread.name:
                thread.join(10)
    assert capsys.readouterr().err == ""


def test_any_other_failure_to_answer_does_leave_one(state, capsys, monkeypatch):
    monkeypatch.setattr(state, "snapshot", object)
    with serving(state, 0) as server, pytest.raises(http.client.RemoteDisconnected):
        fetched(server, "/progress")
    assert "AttributeError" in capsys.readouterr().err
