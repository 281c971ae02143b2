"""A process of the operator over a simulated API server: its real worker, one call at a time.

What it keeps in memory (whom it was woken for, when it is to look again, what pods said) goes when it is killed.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from finetune_operator.kube import AlreadyExists, Conflict, KubeError
from finetune_operator.leadership import Leadership
from finetune_operator.metrics.instruments import Metrics
from finetune_operator.observe import Key
from finetune_operator.observed import Pod, Reading
from finetune_operator.settings import Settings
from finetune_operator.vitals import Vitals
from finetune_operator.work_queue import WorkQueue
from finetune_operator.worker import Worker
from simulated_api import KEY, ApiServer
from simulated_kube import SimulatedKube
from simulated_nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Heard:
    """Stands where the operator's ProgressWatch stands: the last word of the pod that it watches."""

    def __init__(self) -> None:
        self.pod: Pod | None = None
        self.last: Reading | None = None

    def watch(self, key: Key, pod: Pod | None) -> None:
        if pod is None or not pod.running:
            self.pod = self.last = None
        elif self.pod is None or self.pod.uid != pod.uid:
            self.pod, self.last = pod, None

    def readings(self, key: Key) -> tuple[Reading, ...]:
        return (self.last,) if self.last else ()

    def read(self, nodes: Nodes) -> bool:
        """Asks the pod; whether that is news."""
        pod = nodes.api.pods.get(self.pod.name) if self.pod else None
        if self.pod is None or pod is None or nodes.stage_of(pod) is None:
            return False
        progress, outcome = nodes.said_by(pod)
        self.last = Reading(self.pod.uid, progress, outcome=outcome)
        return True


class Operator:
    def __init__(self, api: ApiServer, settings: Settings) -> None:
        self.api = api
        self.heard = Heard()
        self.metrics = Metrics()
        self.woken = api.watched()
        self.due: datetime | None = None
        self.went_well = False
        """The last round did all that it had decided on."""
        kube, now = SimulatedKube(api), lambda: api.now
        told = {"metrics": self.metrics, "vitals": Vitals((), settings.watch_seconds), "clock": now}
        self._worker = Worker(kube, settings, WorkQueue(), self.heard, Leadership(), **told)
        self._round: Coroutine[Any, Any, float | None] | None = None
        api.watchers.append(self.wake)

    def wake(self) -> None:
        self.woken = True

    @property
    def busy(self) -> bool:
        return self._round is not None

    @property
    def has_work(self) -> bool:
        return self.busy or self.woken or (self.due is not None and self.due <= self.api.now)

    def step(self) -> None:
        """Makes the next call of its round, which begins, if none is under way, and ends with the last one."""
        if self._round is None:
            self.woken, self.due = False, None
            self._round = self._worker.reconcile(KEY)
        try:
            self._round.send(None)
        except StopIteration as done:
            self._ended(done.value, went_well=True)
        except (Conflict, AlreadyExists):
            self._ended(0, went_well=False)
        except KubeError:
            self._ended(1, went_well=False)

    def finish(self) -> None:
        """What is left of its round."""
        while self.busy:
            self.step()

    def round(self) -> None:
        """A whole round, in which nothing else happens."""
        self.finish()
        self.step()
        self.finish()

    def kill(self) -> None:
        if self._round:
            self._round.close()
        self._round = None
        self.retire()

    def retire(self) -> None:
        """It begins nothing more; a round that is under way may still end."""
        self.api.watchers.remove(self.wake)

    def _ended(self, again_after: float | None, *, went_well: bool) -> None:
        self._round = None
        self.went_well = went_well
        self.due = None if again_after is None else self.api.now + timedelta(seconds=again_after)
