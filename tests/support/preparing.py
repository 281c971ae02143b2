"""Prepare in this process, and what it ends with."""

from typing import Any

import pytest

from finetune_api.failures import FineTuneError
from finetune_api.messages import TerminationMessage
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from runner_place import Place


def prepared(place: Place, spec: dict[str, Any] | None = None) -> TerminationMessage:
    """The last word of a prepare that succeeds."""
    outcome = Outcome(kind="prepare")
    prepare(place.job(spec), outcome)
    return outcome.message(None, first=frozenset())


def refused(place: Place, spec: dict[str, Any] | None = None) -> FineTuneError:
    """Why prepare fails."""
    with pytest.raises(FineTuneError) as caught:
        prepare(place.job(spec), Outcome(kind="prepare"))
    return caught.value
