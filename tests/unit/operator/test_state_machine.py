"""Whatever happens to a job, in whatever order: what must hold, holds, and left in peace it comes to a true end.

The operator is the real one, from its first look to its status write; any of these events may come between two of its
calls, and it may be killed there.
"""

import sys

from child_events import ChildEvents
from finetune_api.resource.status import ConditionType
from operator_events import OperatorEvents
from pod_events import PodEvents
from user_events import UserEvents


class Life(OperatorEvents, PodEvents, ChildEvents, UserEvents):
    def teardown(self) -> None:
        """Left in peace the job ends, and leaves nothing behind that works."""
        if sys.exc_info()[0] is None and hasattr(self, "life"):
            self.others_tidy_up()
            self.life.live_on()
            if self.life.api.deleting:
                self.nothing_is_left()
                return
            if self.life.api.suspended and not self.life.api.status.terminal:
                assert self.life.api.status.holds(ConditionType.SUSPENDED)
                assert not self.life.nodes.live_pods
                self.life.api.suspend(False)
                self.life.live_on()
            self.has_come_to_its_end()
            if self.backup:
                self.life.restore_children(self.backup)
                self.life.live_on()
                self.has_come_to_its_end()

    def others_tidy_up(self) -> None:
        """What stands in the way goes; it was not touched."""
        self.life.api.unreachable_calls, self.life.api.loses_answer, self.life.api.no_quota = 0, False, False
        while self.life.earlier:
            self.life.step_earlier()
        for job in self.life.controllers.live_jobs:
            self.life.controllers.queue(job, queued=False)
        self.life.remove_orphans_that_cannot_start()
        for kind, wire in self.foreign:
            assert kind.get(wire["metadata"]["name"]) == wire, "what belongs to somebody else was touched"
            self.life.api.remove(kind, wire["metadata"]["name"])

    def nothing_is_left(self) -> None:
        assert self.life.api.fine_tune_job is None
        assert not self.life.api.own_jobs()
        assert not self.life.nodes.live_pods

    def has_come_to_its_end(self) -> None:
        api = self.life.api
        assert api.status.terminal
        assert not self.life.controllers.live_jobs
        assert not self.life.nodes.live_pods
        if api.fine_tune_job["spec"]["ttlSecondsAfterFinished"]:
            api.later(101)
            self.life.live_on()
            assert not api.own_jobs()


TestLife = Life.TestCase
