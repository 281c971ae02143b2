"""What people do with a job, its namespace and its store."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from finetune_api.failures import Reason
from random_life import RandomLife, event


class UserEvents(RandomLife):
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
