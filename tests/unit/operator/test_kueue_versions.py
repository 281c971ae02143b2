"""An older Kueue serves v1beta1 alone; what is read of it is the same."""

import asyncio
import json
from types import SimpleNamespace

import pytest

from finetune_operator.kube import Kube
from finetune_operator.observe.kueue import observe_queue
from finetune_operator.observed import Queueing

WAITS = {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": "no quota"}
OBJECTS = {
    "workloads": {"items": [{"metadata": {"name": "job-tone-1"}, "status": {"conditions": [WAITS]}}]},
    "localqueues/team-a": {"spec": {"clusterQueue": "gpus"}},
    "localqueues/team-a/pendingworkloads": {
        "items": [{"metadata": {"name": "job-tone-1"}, "positionInClusterQueue": 2}]
    },
}


class Serving:
    """An API server's HTTP side, with Kueue's groups in some versions; of others it says what one says of no group."""

    configuration = SimpleNamespace(host="https://api")

    def __init__(self, *versions: str) -> None:
        self.versions = versions

    async def update_params_for_auth(self, *_: object) -> None:
        """Anybody may ask."""

    async def call_api(self, _: str, url: str, **__: object) -> SimpleNamespace:
        version, _, path = url.partition("?")[0].partition("/apis/")[2].partition("/")[2].partition("/")
        found = OBJECTS[path.removeprefix("namespaces/team/")] if version in self.versions else None
        text = "404 page not found" if found is None else json.dumps(found)

        async def read() -> bytes:
            return text.encode()

        return SimpleNamespace(status=404 if found is None else 200, headers={}, read=read)


def said(*versions: str) -> Queueing:
    return asyncio.run(observe_queue(Kube(Serving(*versions)), "team", "uid-of-job", "team-a"))


@pytest.mark.parametrize("versions", [("v1beta1",), ("v1beta2",), ("v1beta1", "v1beta2")])
def test_a_stage_says_why_it_waits_whichever_version_kueue_serves(versions: tuple[str, ...]) -> None:
    assert said(*versions) == Queueing("job-tone-1", "gpus", 3, words="no quota")


def test_where_neither_is_served_it_says_so() -> None:
    assert said() == Queueing(unreadable="the API server knows no Kueue, in version v1beta2 or v1beta1")
