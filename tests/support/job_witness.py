"""What must hold of a job at every write of its operator, and what once the operator has had a round in peace."""

from datetime import timedelta
from typing import TYPE_CHECKING

from finetune_api.resource.status import ConditionType, FineTuneJobStatus, PassState
from finetune_operator.conditions import moment
from finetune_operator.decide.pod_trouble import PERMANENT
from simulated_api import ApiServer, Wire
from simulated_controllers import Controllers
from simulated_nodes import Nodes
from simulated_store import PASSES
from wire_state import exit_code, is_live

if TYPE_CHECKING:
    from finetune_api.failures import Reason


class Witness:
    def __init__(self, api: ApiServer, controllers: Controllers, nodes: Nodes) -> None:
        self.api = api
        self.controllers = controllers
        self.nodes = nodes
        self.causes: set[Reason] = set()
        """What the job may fail of: what has happened to it."""
        self.alone = True
        """No round of an earlier operator is under way, which may do what it decided on long ago."""
        api.before_status = self.status_written
        api.before_job = self.job_created

    def status_written(self, after: FineTuneJobStatus) -> None:
        before = self.api.status
        if before.terminal:
            seen = {"observed_generation": after.observed_generation}
            assert after == before.model_copy(update=seen), "what has ended is written anew"
            return
        self._passes(before, after)
        self._accelerator_seconds(before, after)
        self._disruptions(after)
        if after.holds(ConditionType.COMPLETE):
            assert {step.state for step in after.passes} == {PassState.SUCCEEDED}
            assert len(after.artifacts) == 1
            assert self.nodes.store.published
        if after.holds(ConditionType.FAILED):
            assert after.failure
            assert after.failure.reason in self.causes, after.failure

    def _passes(self, before: FineTuneJobStatus, after: FineTuneJobStatus) -> None:
        store = self.nodes.store
        was = {step.name for step in before.passes if step.state is PassState.SUCCEEDED}
        now = {step.name for step in after.passes if step.state is PassState.SUCCEEDED}
        assert was - now <= {PASSES[index] for index in store.lost}, "a committed pass is taken back"
        assert now <= {PASSES[index] for index in store.ever}, "a pass is told committed that never was"

    def _accelerator_seconds(self, before: FineTuneJobStatus, after: FineTuneJobStatus) -> None:
        told, earlier = after.accelerator_seconds or 0, before.accelerator_seconds or 0
        assert earlier <= told <= self.nodes.held()

    def _disruptions(self, after: FineTuneJobStatus) -> None:
        if (told := after.disruptions) is None:
            return
        assert told.count <= len(self.nodes.disrupted), "a disruption is counted twice, or what was none"
        assert told.checkpoint_step <= self.nodes.store.newest_ever
        if after.failure and after.failure.path == "spec.disruptionLimit":
            assert len(self.nodes.disrupted) > self._disruption_limit

    def job_created(self, manifest: Wire) -> None:
        if not self.alone or self.api.deleting:
            return
        name = manifest["metadata"]["name"]
        assert not self.api.status.terminal, f"{name} is made for a job that has ended"
        assert not self.controllers.live_jobs, f"{name} is made beside another"
        assert not self.nodes.live_pods, f"{name} is made while a pod still works"

    def at_rest(self) -> None:
        """After a whole round in which nothing else happened; what is being deleted is the garbage collector's."""
        if self.api.deleting:
            return
        live = [job["metadata"]["name"] for job in self.controllers.live_jobs]
        assert len(live) <= 1
        assert not (live and self.api.status.terminal), "a Job outlives the end"
        assert not (live and self.api.suspended), "a Job runs while the job is suspended"
        assert self.api.status.terminal or not self._late, "the deadline is over, and nothing ends"
        assert self.api.status.terminal or not self._given_up, "disrupted more often than it may be, and nothing ends"

    @property
    def _late(self) -> bool:
        job, start = self.api.fine_tune_job, self.api.status.start_time
        seconds = job["spec"].get("activeDeadlineSeconds") if job else None
        return bool(seconds and start and self.api.now >= moment(start) + timedelta(seconds=seconds))

    @property
    def _disruption_limit(self) -> int:
        job = self.api.fine_tune_job
        return job["spec"].get("disruptionLimit", 10) if job else 0

    @property
    def _given_up(self) -> bool:
        """The last that was one too many has had its say, or is gone, and has come to no end of its own."""
        told = self.api.status.disruptions
        if told is None or told.count <= self._disruption_limit:
            return False
        last = [pod for pod in self.api.pods.values() if pod["metadata"]["uid"] == told.newest_pod.uid]
        return not any(is_live(pod) or exit_code(pod) in (0, *PERMANENT) for pod in last)
