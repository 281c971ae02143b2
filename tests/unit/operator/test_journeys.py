"""The ways on which the cluster tier kills the operator lead through all that there is."""

from finetune_api.resource.status import PHASES
from journey import WAYS, states, states_alone

NOT_ACCEPTED = {"Pending"}
"""Nothing is made of such a job, and its status says nothing yet that could be lost."""


def test_a_job_gets_into_every_phase_on_some_way() -> None:
    assert {phase for way in WAYS for phase, _ in states(way)} == set(PHASES) - NOT_ACCEPTED


def test_no_state_is_tried_twice() -> None:
    tried = [state for way in WAYS for state in states_alone(way)]
    assert len(tried) == len(set(tried))
