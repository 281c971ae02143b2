"""What must hold of a job at every write of its operator, and what once the operator has had a round in peace."""

from datetime import timedelta
from typing import TYPE_CHECKING

from finetune_api.resource.status import ConditionType, FineTuneJobStatus, PassState
from finetune_operator.conditions import moment
from simulated_api import ApiServer, Wire
from simulated_controllers import Controllers
from simulated_nodes import Nodes
from simulated_store import PASSES

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

    @property
    def _late(self) -> bool:
        job, start = self.api.fine_tune_job, self.api.status.start_time
        seconds = job["spec"].get("activeDeadlineSeconds") if job else None
        return bool(seconds and start and self.api.now >= moment(start) + timedelta(seconds=seconds))
