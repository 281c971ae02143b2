"""The pure core: from what is observed to what is to be done. One policy a module; the first that speaks decides."""

from finetune_api.plan import plan
from finetune_api.resource.status import ConditionType, FailureStatus, FineTuneJobStatus
from finetune_operator.conditions import timestamp, with_condition
from finetune_operator.decide.acceptance import Accepted, Refused, accept
from finetune_operator.decide.accounting import account, unless_only_time_passed
from finetune_operator.decide.at_work import at_work
from finetune_operator.decide.budget import enforce_budget, seconds_until_spent
from finetune_operator.decide.case import Case, Policy, Verdict
from finetune_operator.decide.completion import complete
from finetune_operator.decide.deadline import enforce_deadline
from finetune_operator.decide.deletion import claim, delete
from finetune_operator.decide.disruption_limit import limit_disruptions
from finetune_operator.decide.disruptions import count_disruptions
from finetune_operator.decide.ending import failed_status
from finetune_operator.decide.failure import fail
from finetune_operator.decide.outcome import record_outcomes
from finetune_operator.decide.patience import lose_patience
from finetune_operator.decide.preparation import prepare
from finetune_operator.decide.queueing import seconds_until_asked
from finetune_operator.decide.remaking import remake
from finetune_operator.decide.retention import retain, seconds_kept
from finetune_operator.decide.settling import settle
from finetune_operator.decide.staging import run_stages
from finetune_operator.decide.summary import summarised
from finetune_operator.decide.suspension import suspend
from finetune_operator.decide.unreadable import leave_alone
from finetune_operator.decision import Action, Decision, DeleteJob
from finetune_operator.observed import Observed
from finetune_operator.settings import Settings

POLICIES: tuple[Policy, ...] = (
    complete,
    fail,
    enforce_deadline,
    enforce_budget,
    limit_disruptions,
    suspend,
    remake,
    lose_patience,
    settle,
    at_work,
    prepare,
    run_stages,
)
"""In order of precedence: ends first, then what stops, then what starts."""


def decide(observed: Observed, settings: Settings) -> Decision:
    """What is to be done about one job now, and the status that says so."""
    if observed.deleting:
        return delete(observed, settings)
    if observed.status.terminal:
        return retain(observed)
    if observed.unreadable:
        return leave_alone(observed)
    acceptance = accept(observed, settings)
    if isinstance(acceptance, Refused):
        return Decision(refused(observed, acceptance.failure))
    if unclaimed := claim(observed):
        return unclaimed
    return _decide_accepted(observed, settings, acceptance)


def refused(observed: Observed, failure: FailureStatus) -> FineTuneJobStatus:
    """The status of a job that is not accepted: failed, before anything was made."""
    status = with_condition(
        observed.status,
        ConditionType.ACCEPTED,
        holds=False,
        reason=failure.reason,
        message=failure.message,
        now=observed.now,
        generation=observed.generation,
    )
    return ended(observed, status, failure)


def ended(observed: Observed, status: FineTuneJobStatus, failure: FailureStatus) -> FineTuneJobStatus:
    """The status of a job that ends with a failure found outside of the policies."""
    status = failed_status(status, observed, failure)
    return summarised(observed, Verdict(status, failure.reason, failure.message))


def _decide_accepted(observed: Observed, settings: Settings, acceptance: Accepted) -> Decision:
    status = _accepted_status(observed, acceptance)
    case = Case(observed, settings, acceptance.document, plan(acceptance.document.spec), status)
    case = case.with_status(record_outcomes(case))
    case = case.with_status(account(case))
    case = case.with_status(count_disruptions(case))
    verdict = next(verdict for policy in POLICIES if (verdict := policy(case)))
    status = unless_only_time_passed(case, summarised(observed, verdict))
    requeue = seconds_kept(observed, status) if status.terminal else _look_again_after(case)
    return Decision(status, _in_order(acceptance, verdict, terminal=status.terminal), requeue)


def _in_order(acceptance: Accepted, verdict: Verdict, *, terminal: bool) -> tuple[Action, ...]:
    """What stops something comes first, so that nothing that can't be made keeps it; an end makes nothing."""
    stops = tuple(action for action in verdict.actions if isinstance(action, DeleteJob))
    starts = tuple(action for action in verdict.actions if not isinstance(action, DeleteJob))
    return stops if terminal else (*stops, *acceptance.actions, *starts)


def _look_again_after(case: Case) -> int | None:
    """Seconds until a limit is reached, or Kueue to be asked, though nothing is heard; None where there is neither."""
    limits = (case.remaining_seconds, seconds_until_spent(case), seconds_until_asked(case))
    return min((seconds for seconds in limits if seconds is not None), default=None)


def _accepted_status(observed: Observed, acceptance: Accepted) -> FineTuneJobStatus:
    changes = {
        "start_time": observed.status.start_time or timestamp(observed.now),
        "runner_image": observed.status.runner_image or acceptance.runner_image,
        "document_digest": acceptance.digest,
    }
    return with_condition(
        observed.status.model_copy(update=changes),
        ConditionType.ACCEPTED,
        holds=True,
        reason="Accepted",
        message="the spec is valid",
        now=observed.now,
        generation=observed.generation,
    )
