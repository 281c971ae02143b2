"""What happens to the pods of a job."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from finetune_api.failures import EXIT_CODES, Reason
from random_life import MOST_LOSSES, RandomLife, event, running_pod, some_pod, which
from simulated_store import told
from wire_state import is_deleting, is_running

TOLD = sorted({*EXIT_CODES} - {Reason.OUT_OF_HOST_MEMORY, Reason.INTERRUPTED}, key=lambda reason: -EXIT_CODES[reason])
"""What a pod can fail of and say so; first what is tried again."""


class PodEvents(RandomLife):
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

    def _may_be_heard(self, heard: bool) -> None:
        """The operator asks a pod what it has done, and then looks at the job."""
        if heard and self.life.operator.heard.read(self.life.nodes):
            self.life.operator.wake()

    @precondition(running_pod)
    @event(index=which, heard=st.booleans())
    def a_pod_commits_a_pass(self, index: int, heard: bool) -> None:
        self.life.nodes.commit(self.pod(index, running=True))
        self._may_be_heard(heard)

    @precondition(running_pod)
    @event(index=which, heard=st.booleans())
    def a_pod_keeps_a_checkpoint(self, index: int, heard: bool) -> None:
        self.life.nodes.keep_checkpoint(self.pod(index, running=True))
        self._may_be_heard(heard)

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
