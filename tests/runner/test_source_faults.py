"""Buckets that models and rows come from, and networks on the way there, that fail."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.data import DataSource
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
    def source(self, place, proxy):
        """As a process opens it."""
        wire = {"s3": place.bucket.location("tones.jsonl") | {"endpoint": proxy.endpoint}}
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

    def test_one_that_has_never_answered_is_not_waited_for(self, place, proxy):
        proxy.harm(Harm.UNAVAILABLE, everything)
        with pytest.raises(FineTuneError) as caught:
            self.source(place, proxy).resolve(everything)
        assert (caught.value.reason, caught.value.path) == (Reason.STORE_UNAVAILABLE, f"{PATH}.s3")
