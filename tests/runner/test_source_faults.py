"""Buckets and hubs that models and rows come from, and networks on the way there, that fail."""

from http import HTTPStatus

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataSource
from finetune_api.resource.input_model import ModelSource
from finetune_runner.sources.opening import open_source
from runner_place import TONES, jsonl
from s3_proxy import Harm, proxied

PATH = "spec.dataConfigs[0].source"


def everything(_):
    return True


@pytest.fixture
def proxy(s3_server, monkeypatch):
    monkeypatch.setattr("finetune_runner.store.s3_client.ATTEMPTS", 1)
    monkeypatch.setattr("finetune_runner.store.patience.PAUSE_SECONDS", 0.05)
    with proxied(s3_server) as proxy:
        yield proxy


class TestBucket:
    def source(self, place, proxy, key="tones.jsonl"):
        """As a process opens it."""
        wire = {"s3": place.bucket.location(key) | {"endpoint": proxy.endpoint}}
        return open_source(DataSource.model_validate(wire), kind="dataset", layout=place.layout, path=PATH)

    def test_one_that_goes_away_costs_as_long_as_it_is_away(self, place, proxy, tmp_path):
        source = self.source(place, proxy)
        source.names()
        proxy.harm(Harm.UNAVAILABLE, everything, times=3)
        pinned = source.resolve(everything)
        proxy.harm(Harm.GONE, everything, times=3)
        source.fetch(pinned, pinned.files, tmp_path)
        assert (tmp_path / "tones.jsonl").read_text() == jsonl(TONES)

    def test_what_is_pinned_is_waited_for_from_a_process_first_request(self, place, proxy, tmp_path):
        pinned = self.source(place, proxy).resolve(everything)
        proxy.harm(Harm.UNAVAILABLE, everything, times=3)
        self.source(place, proxy).fetch(pinned, pinned.files, tmp_path)
        proxy.harm(Harm.UNAVAILABLE, everything, times=3)
        assert self.source(place, proxy).read(pinned, pinned.files[0], 2) == b'{"'

    @pytest.mark.parametrize("key", ["team/tones.jsonl", "team/tones", "team/missing"])
    def test_credentials_that_may_list_only_below_the_sources_key_will_do(self, place, proxy, tmp_path, key):
        """As with a policy's condition on s3:prefix."""
        place.bucket.put("team/tones.jsonl", "x")
        place.bucket.put("team/tones/more.jsonl", "x")
        proxy.harm(Harm.DENIED, lambda request: "list-type" in request.path and "prefix=team%2F" not in request.path)
        source = self.source(place, proxy, key)
        if key == "team/missing":
            with pytest.raises(FineTuneError, match="there is no dataset at"):
                source.resolve(everything)
            return
        pinned = source.resolve(everything)
        source.fetch(pinned, pinned.files, tmp_path)
        assert [file.path for file in pinned.files] == source.names()

    def test_one_that_has_never_answered_is_not_waited_for(self, place, proxy):
        proxy.harm(Harm.UNAVAILABLE, everything)
        with pytest.raises(FineTuneError) as caught:
            self.source(place, proxy).resolve(everything)
        assert (caught.value.reason, caught.value.path) == (Reason.STORE_UNAVAILABLE, f"{PATH}.s3")


AWAY = (HTTPStatus.SERVICE_UNAVAILABLE, {})
SLOW_DOWN = (HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "77"})
WINDOW = {"RateLimit": '"api";r=0;t=55', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
LIMITED = (HTTPStatus.TOO_MANY_REQUESTS, WINDOW)
LIBRARY_TRIES = 7
"""Of a file's HEAD: one, and with retries six more."""
WEIGHTS = bytes(range(256)) * 4096


@pytest.fixture
def slept(monkeypatch):
    """How long was slept, in which no time has passed."""
    found = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


class TestHub:
    def source(self, place, hub):
        """As a process opens it."""
        hub.repository("team/phi").commit({"config.json": b"{}", "model.safetensors": WEIGHTS})
        wire = {"huggingFace": {"repo": "team/phi", "endpoint": hub.endpoint}}
        path = "spec.inputModel.source"
        return open_source(ModelSource.model_validate(wire), kind="model", layout=place.layout, path=path)

    def arrives(self, source, pinned, target):
        source.fetch(pinned, pinned.files, target)
        return (target / "config.json").read_bytes() == b"{}" and (target / "model.safetensors").read_bytes() == WEIGHTS

    @pytest.mark.parametrize(("refusal", "pause"), [(SLOW_DOWN, 77), (LIMITED, 55), (AWAY, 10)])
    def test_one_that_asks_to_come_again_later_is_asked_then(self, place, hub, slept, refusal, pause):
        hub.refusals = [refusal] * 3
        assert self.source(place, hub).resolve(everything).files
        assert slept == [pause] * 3

    def test_one_that_goes_away_costs_as_long_as_it_is_away(self, place, hub, slept, tmp_path):
        source = self.source(place, hub)
        pinned = source.resolve(everything)
        hub.refusals = [AWAY] * (LIBRARY_TRIES + 1)
        assert self.arrives(source, pinned, tmp_path)
        assert 10 in slept

    def test_a_connection_that_is_reset_in_the_middle_of_a_file_costs_no_pod(self, place, hub, slept, tmp_path):
        pinned = self.source(place, hub).resolve(everything)
        hub.resets = 3
        assert self.arrives(self.source(place, hub), pinned, tmp_path)
        assert hub.sent == ["config.json", "model.safetensors"]

    def test_a_file_that_ends_early_is_fetched_again(self, place, hub, slept, tmp_path):
        source = self.source(place, hub)
        pinned = source.resolve(everything)
        hub.short = 2
        assert self.arrives(source, pinned, tmp_path)

    @pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "a hub without ranges"])
    @pytest.mark.usefixtures("slept")
    def test_a_download_that_breaks_off_goes_on_where_it_was(self, place, hub, tmp_path, monkeypatch, ranges):
        """As the hub's library does it, to the part that it writes at a time."""
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 2**10)
        source = self.source(place, hub)
        pinned = source.resolve("model.safetensors".__eq__)
        hub.cuts, hub.ranges = 2, ranges
        source.fetch(pinned, pinned.files, tmp_path)
        assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
        half = len(WEIGHTS) // 2
        begins = [0, half, half + half // 2] if ranges else [0, half, half]
        assert hub.begun == [("model.safetensors", begin) for begin in begins]

    def test_weights_that_arrive_with_another_sha256_are_fetched_again(self, place, hub, slept, tmp_path):
        source = self.source(place, hub)
        pinned = source.resolve("model.safetensors".__eq__)
        hub.altered = 2
        source.fetch(pinned, pinned.files, tmp_path)
        assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
        assert slept == [10, 10]

    def test_weights_that_always_have_another_sha256_are_not_used(self, place, hub, slept, tmp_path, monkeypatch):
        source = self.source(place, hub)
        pinned = source.resolve("model.safetensors".__eq__)
        monkeypatch.setattr("finetune_runner.store.patience.OUTAGE_SECONDS", 0)
        hub.altered = 9
        with pytest.raises(FineTuneError) as caught:
            source.fetch(pinned, pinned.files, tmp_path / "to")
        assert caught.value.reason is Reason.HUB_UNAVAILABLE
        assert "model.safetensors arrived with another sha256" in caught.value.message
        assert "mirror" in caught.value.remedy
        assert not list((tmp_path / "to").rglob("*.safetensors"))

    def test_an_outage_has_an_end_and_its_cause_is_told(self, place, hub, slept, tmp_path, monkeypatch):
        source = self.source(place, hub)
        pinned = source.resolve(everything)
        monkeypatch.setattr("finetune_runner.store.patience.OUTAGE_SECONDS", 0)
        hub.refusals = [LIMITED] * LIBRARY_TRIES
        with pytest.raises(FineTuneError) as caught:
            source.fetch(pinned, pinned.files, tmp_path)
        assert caught.value.reason is Reason.HUB_UNAVAILABLE
        assert "429 Too Many Requests" in caught.value.message
        assert "tokenSecretRef" in caught.value.remedy

    def test_a_file_that_is_denied_is_not_waited_for(self, place, hub, slept, tmp_path):
        source = self.source(place, hub)
        pinned = source.resolve(everything)
        hub.refusals = [(HTTPStatus.FORBIDDEN, {})]
        with pytest.raises(FineTuneError) as caught:
            source.fetch(pinned, pinned.files, tmp_path)
        assert caught.value.reason is Reason.AUTH_DENIED

    def test_one_that_is_not_to_be_asked_is_not_waited_for(self, place, hub, slept, tmp_path, monkeypatch):
        source = self.source(place, hub)
        pinned = source.resolve(everything)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with pytest.raises(FineTuneError, match="HF_HUB_OFFLINE is set") as caught:
            source.fetch(pinned, pinned.files, tmp_path)
        assert caught.value.reason is Reason.INVALID_SPEC
        assert slept == []
