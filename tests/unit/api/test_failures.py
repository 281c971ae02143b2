"""Exit codes tell Kubernetes what to do."""

from pathlib import Path

import pytest

from finetune_api.failures import (
    EXIT_CODES,
    FIRST_PERMANENT,
    LAST_PERMANENT,
    FineTuneError,
    Reason,
    reason_of_exit_code,
)


def is_permanent(exit_code: int) -> bool:
    """Whether the Job controller fails the Job at once."""
    return FIRST_PERMANENT <= exit_code <= LAST_PERMANENT


def test_no_two_reasons_share_an_exit_code():
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


@pytest.mark.parametrize("reason", [Reason.INVALID_SPEC, Reason.DATASET_INVALID, Reason.AUTH_DENIED, Reason.NAN_LOSS])
def test_the_users_errors_are_never_retried(reason):
    assert is_permanent(EXIT_CODES[reason])


@pytest.mark.parametrize(
    "reason", [Reason.STORE_UNAVAILABLE, Reason.HUB_UNAVAILABLE, Reason.INTERRUPTED, Reason.INTERNAL]
)
def test_passing_faults_are_retried(reason):
    assert not is_permanent(EXIT_CODES[reason])


def test_asked_to_stop_is_143_and_never_success():
    assert EXIT_CODES[Reason.INTERRUPTED] == 143


def test_a_foreign_exit_code_is_internal():
    assert reason_of_exit_code(77) is Reason.INTERNAL


def test_an_error_reads_as_place_cause_remedy():
    error = FineTuneError(Reason.INVALID_SPEC, "bucket 'x' does not exist", remedy="Create it.", path="spec.store.s3")
    assert str(error) == "spec.store.s3: bucket 'x' does not exist. Create it."


def test_the_documented_reasons_are_the_reasons_there_are():
    lines = (Path(__file__).parents[3] / "docs" / "failures.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:4]] for line in lines if line.startswith("| ")][2:]
    documented = {reason: (code, retried) for reason, code, retried in cells}

    assert documented == {reason.value: _row(reason) for reason in Reason}


def _row(reason: Reason) -> tuple[str, str]:
    """A pod that was killed for its memory is told by its state alone: the operator ends the job."""
    code = EXIT_CODES.get(reason)
    final = code is None or is_permanent(code) or reason is Reason.OUT_OF_HOST_MEMORY
    return ("none" if code is None else str(code), "no" if final else "yes")
