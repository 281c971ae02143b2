"""A FineTuneJob's life in a simulated cluster: its operator, those before it, and how things go when all goes well."""

from datetime import timedelta
from typing import Any

from finetune_api.failures import Reason
from finetune_operator.settings import Settings
from job_witness import Witness
from simulated_api import ApiServer, Objects
from simulated_controllers import Controllers
from simulated_nodes import Nodes
from simulated_operator import Operator
from simulated_store import Store
from wire_state import is_deleting, is_running

SETTINGS = Settings("registry.test/operator:1", "registry.test/runner:1", unschedulable_seconds=1200)
POD_SECONDS = 20
"""What a pod takes to start, and to do its work."""
RESYNC_SECONDS = 60
MOST_STEPS = 400
MOST_RESYNCS = 100


class JobLife:
    def __init__(self, spec: dict[str, Any]) -> None:
        self.api = ApiServer(spec)
        self.store = Store()
        self.controllers = Controllers(self.api)
        self.nodes = Nodes(self.api, self.store)
        self.witness = Witness(self.api, self.controllers, self.nodes)
        self.operator = Operator(self.api, SETTINGS)
        self.earlier: list[Operator] = []
        """Operators that lead no more, each in the middle of its last round."""
        self.stuck: set[str] = set()
        """Pods that will never start, by name."""

    # operators

    def kill_operator(self) -> None:
        self.operator.kill()
        self.operator = Operator(self.api, SETTINGS)

    def replace_operator(self) -> None:
        """Another one leads, while a round of this one is still under way."""
        self.operator.retire()
        self.earlier.append(self.operator)
        self.witness.alone = False
        self.operator = Operator(self.api, SETTINGS)

    def step_earlier(self) -> None:
        self.earlier[0].step()
        if not self.earlier[0].busy:
            del self.earlier[0]
        self.witness.alone = not self.earlier

    def round(self) -> None:
        """A whole round in peace, and a look at what it has made of the world."""
        self.operator.round()
        if self.operator.went_well:
            self.witness.at_rest()

    # how things go by themselves

    def go_on(self) -> bool:
        """The next thing happens, as it does when nothing is in the way; whether there was one."""
        if self.operator.busy:
            self.operator.finish()
        elif self.operator.has_work:
            self.round()
        else:
            return self._controllers() or self._pods()
        return True

    def _controllers(self) -> bool:
        version = self.api.version
        self.controllers.control_jobs()
        self.nodes.terminate()
        self.controllers.collect_garbage()
        return self.api.version > version

    def _pods(self) -> bool:
        pods = (p for p in self.nodes.live_pods if not is_deleting(p) and p["metadata"]["name"] not in self.stuck)
        pod = next(pods, None)
        if pod is None:
            return False
        self.api.later(POD_SECONDS)
        if is_running(pod):
            self.nodes.finish(pod)
        else:
            self.nodes.run(pod)
        return True

    def live_on(self) -> None:
        """Until nothing happens any more, time that passes aside: ended, suspended or gone."""
        resyncs = 0
        for _ in range(MOST_STEPS):
            if self.go_on() or self._operator_waits():
                continue
            if self.api.status.terminal or self.api.deleting or self.api.suspended:
                return
            resyncs += 1
            assert resyncs < MOST_RESYNCS, f"nothing happens any more, and the job is {self.api.status.phase}"
            self.api.later(RESYNC_SECONDS)
            self.operator.wake()
        message = f"the job comes to no end: {self.api.status.phase}"
        raise AssertionError(message)

    def _operator_waits(self) -> bool:
        """Lets the time pass until the operator looks again, if that is soon, or what keeps a deleted job."""
        due, limit = self.operator.due, self.api.now + timedelta(seconds=RESYNC_SECONDS)
        if due is None or (not self.api.deleting and (due > limit or self.api.status.terminal)):
            return False
        self.api.now = due
        return True

    def remove_orphans_that_cannot_start(self) -> None:
        """Whoever has left them does: the operator may delete no pods, and waits for them."""
        for pod in list(self.nodes.live_pods):
            name = pod["metadata"]["name"]
            if name in self.stuck and not pod["metadata"]["ownerReferences"]:
                self.api.remove(self.api.pods, name)

    # what has consequences for how it may end

    def blame(self, reason: Reason) -> None:
        self.witness.causes.add(reason)

    def back_up_children(self) -> tuple[Objects, Objects]:
        return dict(self.api.jobs), dict(self.api.pods)

    def restore_children(self, backup: tuple[Objects, Objects]) -> None:
        for now, then in zip((self.api.jobs, self.api.pods), backup, strict=True):
            for name in list(now):
                self.api.remove(now, name)
            for wire in then.values():
                self.api.put(now, wire)
