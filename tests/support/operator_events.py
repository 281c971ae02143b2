"""What happens to operators, to their calls, and to all else that goes on by itself."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from random_life import RandomLife, event, few


class OperatorEvents(RandomLife):
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
