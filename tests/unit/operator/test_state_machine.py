"""Whatever happens to a job, in whatever order: what must hold, holds, and left in peace it comes to a true end.

The operator is the real one, from its first look to its status write; any of these events may come between two of its
calls, and it may be killed there.
"""

import sys
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from api_specs import wire_spec
from finetune_api.failures import EXIT_CODES, Reason
from finetune_api.resource.status import ConditionType
from finetune_operator.names import config_map_name, prepare_name, stage_name
from job_life import JobLife
from operator_world import UID
from simulated_api import KEY, Objects, Wire
from simulated_store import STAGES, told
from wire_state import ended_as, is_deleting, is_running

MOST_LOSSES = 8
"""More of them, and the operator gives up, as it should."""
SYSTEMS = ("gpu", "cpu")
TOLD = sorted({*EXIT_CODES} - {Reason.OUT_OF_HOST_MEMORY, Reason.INTERRUPTED}, key=lambda reason: -EXIT_CODES[reason])
"""What a pod can fail of and say so; first what is tried again."""
QUIET = st.sampled_from((0, 0, 1, 2, 4, 8))
few = st.integers(1, 4)
which = st.integers(0, 3)


def event(**given: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule, and how long afterwards nothing else is in the way."""

    def rule_of(happens: Callable[..., None]) -> Any:
        def happens_and_things_go_on(self: "Life", quiet: int, **drawn: Any) -> None:
            happens(self, **drawn)
            self.nothing_is_in_the_way(quiet)

        happens_and_things_go_on.__name__ = happens.__name__
        return rule(quiet=QUIET, **given)(happens_and_things_go_on)

    return rule_of


def some_pod(machine: "Life") -> bool:
    return bool(machine.life.nodes.live_pods)


def running_pod(machine: "Life") -> bool:
    return any(map(is_running, machine.life.nodes.live_pods))


def has_ended(machine: "Life") -> bool:
    return machine.life.api.status.terminal


class Life(RuleBasedStateMachine):
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

    # the operator

    @event(calls=few)
    def operator_makes_some_calls(self, calls: int) -> None:
        for _ in range(calls):
            self.life.operator.step()

    @event()
    def operator_makes_a_round(self) -> None:
        self.life.round()

    @precondition(lambda self: self.life.operator.busy)
    @event()
    def operator_is_killed(self) -> None:
        self.life.kill_operator()

    @precondition(lambda self: self.life.operator.busy and not self.life.earlier)
    @event()
    def another_operator_leads(self) -> None:
        self.life.replace_operator()

    @precondition(lambda self: self.life.earlier)
    @event(calls=few)
    def an_earlier_operator_goes_on(self, calls: int) -> None:
        for _ in range(calls):
            if self.life.earlier:
                self.life.step_earlier()

    @event(calls=few)
    def the_api_server_does_not_answer(self, calls: int) -> None:
        self.life.api.unreachable_calls = calls

    @event()
    def the_answer_to_a_write_is_lost(self) -> None:
        self.life.api.loses_answer = True

    @event(no_room=st.booleans())
    def the_quota_has_room_for_jobs_or_none(self, no_room: bool) -> None:
        self.life.api.no_quota = no_room

    # all goes well

    def nothing_is_in_the_way(self, steps: int) -> None:
        for _ in range(steps):
            self.life.go_on()
        if running_pod(self) and not has_ended(self):
            self.backup = self.life.back_up_children()

    @event(seconds=st.sampled_from((1, 30, 600, 4000)))
    def time_passes(self, seconds: int) -> None:
        self.life.api.later(seconds)

    @event()
    def the_job_controller_looks(self) -> None:
        self.life.controllers.control_jobs()

    @event()
    def garbage_is_collected(self) -> None:
        self.life.controllers.collect_garbage()

    @event()
    def what_is_to_end_ends(self) -> None:
        self.life.nodes.terminate()

    # pods

    def pod(self, index: int, *, running: bool = False) -> Wire:
        pods = [pod for pod in self.life.nodes.live_pods if is_running(pod) or not running]
        return pods[index % len(pods)]

    @precondition(some_pod)
    @event(index=which, image=st.booleans(), forever=st.booleans())
    def a_pod_cannot_start(self, index: int, image: bool, forever: bool) -> None:
        pod = self.pod(index)
        if is_running(pod) or is_deleting(pod):
            return
        self.life.nodes.keep_waiting(pod, image=image)
        self.life.blame(Reason.IMAGE_PULL_FAILED if image else Reason.UNSCHEDULABLE)
        if forever:
            self.life.stuck.add(pod["metadata"]["name"])

    @precondition(running_pod)
    @event(index=which, heard=st.booleans())
    def a_pod_commits_a_pass(self, index: int, heard: bool) -> None:
        self.life.nodes.commit(self.pod(index, running=True))
        if heard and self.life.operator.heard.read(self.life.nodes):
            self.life.operator.wake()

    @precondition(running_pod)
    @event(index=which, heard=st.booleans())
    def a_pod_keeps_a_checkpoint(self, index: int, heard: bool) -> None:
        self.life.nodes.keep_checkpoint(self.pod(index, running=True))
        if heard and self.life.operator.heard.read(self.life.nodes):
            self.life.operator.wake()

    @precondition(running_pod)
    @event(index=which, publishes=st.booleans())
    def a_pod_succeeds(self, index: int, publishes: bool) -> None:
        self.loses(not publishes)
        self.life.nodes.finish(self.pod(index, running=True), publishes=publishes or self.losses > MOST_LOSSES)

    @precondition(running_pod)
    @event(index=which, reason=st.sampled_from(TOLD) | st.sampled_from(TOLD[:4]))
    def a_pod_fails_and_says_so(self, index: int, reason: Reason) -> None:
        pod = self.pod(index, running=True)
        self.life.blame(reason)
        self.life.nodes.fail(pod, told(reason))

    @precondition(running_pod)
    @event(index=which, code=st.sampled_from((51, 137, 143, 1, 15)))
    def a_pod_fails_without_a_word(self, index: int, code: int) -> None:
        self.life.nodes.end(self.pod(index, running=True), code, "Traceback: boom")
        codes = {number: reason for reason, number in EXIT_CODES.items()}
        self.life.blame(Reason.INTERRUPTED if code == 137 else codes[code])

    @precondition(running_pod)
    @event(index=which)
    def a_pod_is_killed_for_its_memory(self, index: int) -> None:
        self.life.nodes.end(self.pod(index, running=True), 137, "", "OOMKilled")
        self.life.blame(Reason.OUT_OF_HOST_MEMORY)

    @precondition(running_pod)
    @event(index=which)
    def a_pod_is_evicted_for_its_scratch_space(self, index: int) -> None:
        text = 'Usage of EmptyDir volume "work" exceeds the limit "50Gi".'
        self.life.nodes.end(self.pod(index, running=True), None, reason="Evicted", message=text)
        self.life.blame(Reason.OUT_OF_DISK)

    @precondition(some_pod)
    @event(index=which)
    def a_pod_is_disrupted(self, index: int) -> None:
        self.life.nodes.disrupt(self.pod(index))
        if len(self.life.nodes.disrupted) > self.disruption_limit:
            self.life.blame(Reason.EVICTED)

    @precondition(lambda self: self.life.api.pods)
    @event(index=which)
    def a_pod_is_deleted(self, index: int) -> None:
        names = list(self.life.api.pods)
        self.life.api.mark_deleted(self.life.api.pods, names[index % len(names)])
        self.life.blame(Reason.INTERRUPTED)
        self.loses()

    # Jobs

    @precondition(lambda self: self.life.api.own_jobs())
    @event(index=which, how=st.sampled_from(("Foreground", "Background", "Orphan")))
    def a_job_is_deleted(self, index: int, how: str) -> None:
        api, jobs = self.life.api, self.life.api.own_jobs()
        job = jobs[index % len(jobs)]
        self.loses()
        if how == "Foreground":
            api.mark_deleted(api.jobs, job["metadata"]["name"])
            return
        if how == "Orphan":
            for pod in list(api.pods_of(job)):
                api.put(api.pods, {**pod, "metadata": {**pod["metadata"], "ownerReferences": []}})
        api.remove(api.jobs, job["metadata"]["name"])

    @precondition(lambda self: self.life.controllers.live_jobs)
    @event(queued=st.booleans())
    def a_job_is_queued_or_admitted(self, queued: bool) -> None:
        self.life.controllers.queue(self.life.controllers.live_jobs[0], queued=queued)
        self.life.blame(Reason.INTERRUPTED)

    @precondition(has_ended)
    @event()
    def ended_jobs_are_cleaned_up(self) -> None:
        for job in self.life.api.own_jobs():
            if ended_as(job):
                self.life.api.remove(self.life.api.jobs, job["metadata"]["name"])

    @precondition(lambda self: has_ended(self) and self.backup)
    @event()
    def the_children_are_restored(self) -> None:
        self.life.restore_children(self.backup)
        self.foreign.clear()

    @event(stage=st.sampled_from((None, *range(len(STAGES)))), owner=st.sampled_from(({}, {"labelled": "as ours"})))
    def somebody_makes_a_job_of_the_next_ones_name(self, stage: int | None, owner: dict[str, str]) -> None:
        attempt = self.life.api.status.prepare.attempt if self.life.api.status.prepare else 1
        prepare = prepare_name(KEY[1], UID, attempt + 1 if stage is None and self.life.api.jobs else attempt)
        name = prepare if stage is None else stage_name(KEY[1], UID, stage, SYSTEMS[stage], attempt)
        labels = self.labels_of_ours() if owner else {}
        wire = {"metadata": {"name": name, "namespace": KEY[0], "uid": "x", "labels": labels}, "status": {}}
        self.somebody_makes(self.life.api.jobs, wire)

    def labels_of_ours(self) -> dict[str, str]:
        return next((job["metadata"]["labels"] for job in self.life.api.own_jobs()), {})

    @event()
    def somebody_makes_a_config_map_of_its_name(self) -> None:
        meta = {"name": config_map_name(KEY[1], UID), "namespace": KEY[0], "uid": "x"}
        self.somebody_makes(self.life.api.config_maps, {"metadata": meta, "data": {}})

    def somebody_makes(self, kind: Objects, wire: Wire) -> None:
        if wire["metadata"]["name"] not in kind:
            self.life.api.put(kind, wire)
            self.foreign.append((kind, kind[wire["metadata"]["name"]]))

    @event()
    def the_config_map_is_deleted(self) -> None:
        maps, name = self.life.api.config_maps, config_map_name(KEY[1], UID)
        if name in maps and maps[name]["metadata"]["uid"] != "x":
            self.life.api.remove(maps, name)

    # people, and the store

    @event(suspended=st.booleans())
    def a_user_suspends_or_resumes(self, suspended: bool) -> None:
        self.life.api.suspend(suspended)

    @event(sure=st.sampled_from((False, False, True)), foreground=st.booleans())
    def a_user_deletes_the_job(self, sure: bool, foreground: bool) -> None:
        if sure and not self.life.api.deleting:
            self.life.api.delete_fine_tune_job(foreground=foreground)

    @precondition(lambda self: self.life.api.deleting)
    @event()
    def the_namespace_goes_too(self) -> None:
        self.life.api.namespace_terminating = True

    @event()
    def a_user_changes_a_label(self) -> None:
        self.life.api.change_metadata(labels={"touched": str(self.life.api.version)})

    @event(index=st.integers(0, 2))
    def the_store_loses_an_output(self, index: int) -> None:
        self.life.store.lose(index)
        self.loses()
        self.life.blame(Reason.ARTIFACT_CORRUPT)

    def loses(self, lost: bool = True) -> None:
        """Something that takes one prepare more."""
        self.losses += lost
        if self.losses > MOST_LOSSES:
            self.life.blame(Reason.INTERNAL)

    # the end

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
