"""Conditions and times of status. Pure."""

from datetime import UTC, datetime

from finetune_api.resource.status import Condition, ConditionType, FineTuneJobStatus

MESSAGE_LIMIT = 4000


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds, as metav1.Time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def clip(text: str, limit: int = MESSAGE_LIMIT) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def with_condition(
    status: FineTuneJobStatus,
    kind: ConditionType,
    *,
    holds: bool,
    reason: str,
    message: str = "",
    now: datetime,
    generation: int,
) -> FineTuneJobStatus:
    """The status with one condition set; its transition time changes only when it turns."""
    before = status.condition(kind)
    turned = before is None or (before.status == "True") != holds
    condition = Condition(
        type=kind,
        status="True" if holds else "False",
        reason=reason,
        message=clip(message),
        last_transition_time=timestamp(now) if turned or before is None else before.last_transition_time,
        observed_generation=generation,
    )
    others = [c for c in status.conditions if c.type != kind]
    return status.model_copy(update={"conditions": sorted([*others, condition], key=_place)})


def _place(condition: Condition) -> int:
    """Conditions always stand in one order, so that an unchanged status compares equal."""
    known = [str(kind) for kind in ConditionType]
    return known.index(condition.type) if condition.type in known else len(known)
