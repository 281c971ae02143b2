"""A random life of a job: what its events are made of, and how it begins."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from api_specs import wire_spec
from finetune_api.failures import Reason
from job_life import JobLife
from simulated_api import Objects, Wire
from wire_state import is_running

MOST_LOSSES = 8
"""More of them, and the operator gives up, as it should."""
QUIET = st.sampled_from((0, 0, 1, 2, 4, 8))
few = st.integers(1, 4)
which = st.integers(0, 3)


def event(**given: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule, and how long afterwards nothing else is in the way."""

    def rule_of(happens: Callable[..., None]) -> Any:
        def happens_and_things_go_on(self: "RandomLife", quiet: int, **drawn: Any) -> None:
            happens(self, **drawn)
            self.nothing_is_in_the_way(quiet)

        happens_and_things_go_on.__name__ = happens.__name__
        return rule(quiet=QUIET, **given)(happens_and_things_go_on)

    return rule_of


def some_pod(machine: "RandomLife") -> bool:
    return bool(machine.life.nodes.live_pods)


def running_pod(machine: "RandomLife") -> bool:
    return any(map(is_running, machine.life.nodes.live_pods))


def has_ended(machine: "RandomLife") -> bool:
    return machine.life.api.status.terminal


class RandomLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[tuple[Objects, Wire]] = []
        self.backup: tuple[Objects, Objects] | None = None
        self.losses = 0

    @initialize(
        deadline=st.sampled_from((None, 3600)),
        hours=st.sampled_from((None, 0.5)),
        retries=st.sampled_from((0, 3)),
        disruptions=st.sampled_from((0, 1, 10)),
        ttl=st.sampled_from(({}, {"succeeded": 100, "failed": 100})),
        suspend=st.sampled_from((False, False, True)),
        with_job=st.booleans(),
        quiet=st.integers(0, 20),
    )
    def is_created(
        self,
        *,
        deadline: int | None,
        hours: float | None,
        retries: int,
        disruptions: int,
        ttl: Any,
        suspend: bool,
        with_job: bool,
        quiet: int,
    ) -> None:
        limits = {"backoffLimit": retries, "disruptionLimit": disruptions}
        spec = wire_spec(**limits, ttlSecondsAfterFinished=ttl, suspend=suspend)
        if with_job:
            spec |= {"artifactDeletion": "WithJob", "output": {"s3": {"uri": "s3://models/out"}}}
        if deadline:
            spec["activeDeadlineSeconds"] = deadline
        if hours:
            spec["limits"] = {"acceleratorHours": hours}
        self.life = JobLife(spec)
        self.disruption_limit = disruptions
        if deadline or hours:
            self.life.blame(Reason.DEADLINE_EXCEEDED)
        self.nothing_is_in_the_way(quiet)

    def nothing_is_in_the_way(self, steps: int) -> None:
        for _ in range(steps):
            self.life.go_on()
        if running_pod(self) and not has_ended(self):
            self.backup = self.life.back_up_children()

    def pod(self, index: int, *, running: bool = False) -> Wire:
        pods = [pod for pod in self.life.nodes.live_pods if is_running(pod) or not running]
        return pods[index % len(pods)]

    def loses(self, lost: bool = True) -> None:
        """Something that takes one prepare more."""
        self.losses += lost
        if self.losses > MOST_LOSSES:
            self.life.blame(Reason.INTERNAL)
