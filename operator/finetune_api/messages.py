"""What operator and runner tell each other.

Operator to runner: JobDocument and DeletionDocument, mounted as files. Runner to operator: TerminationMessage, the
container's last word, at most 4096 bytes
(https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/); the full report lies in the
store. Progress is resource.status.Progress.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_serializer, model_validator

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.base import Model, empty_list
from finetune_api.resource.job import FineTuneJobSpec, Output, Store
from finetune_api.resource.status import MetricValue

LIMIT_BYTES = 4096
MAX_HEADLINES = 16
MESSAGE_BYTES = 320
REMEDY_BYTES = 200
PATH_BYTES = 100
CACHE_KEY_CHARS = 32
CHECKPOINT_FIGURE = "checkpointMiB"
"""Of a tuning pass that is not committed: what a checkpoint of it takes, as prepare estimates it."""
LOG_FIELD = ',"l":""'


class JobDocument(Model):
    """The job as the pods see it: identity and effective spec (operator's defaults filled in)."""

    namespace: str
    name: str
    uid: str
    spec: FineTuneJobSpec


class DeletionDocument(Model):
    """What is to be removed when a job is deleted: of which job, and where it lies."""

    namespace: str
    name: str
    uid: str
    store: Store
    output: Output | None = None
    reusable: bool = Field(default=True, description="Other jobs may reuse the outputs of its passes, so they stay.")


class PassOutcome(Model):
    """A pass whose key is known; a committed one has a digest.

    On the wire an array [index, key, digest, size], the key in base64url: 32 of these must fit into a message.
    """

    index: int = Field(ge=0, description="Position in spec.passes.")
    key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] = Field(description="Cache key, hex.")
    digest: Annotated[str, StringConstraints(max_length=43)] = Field(
        default="", description="sha256 of the output, base64url without padding; empty: not committed."
    )
    size_bytes: int = Field(default=0, ge=0)

    @model_serializer
    def _array(self) -> list[int | str]:
        return [self.index, _base64url(bytes.fromhex(self.key)), self.digest, self.size_bytes]

    @model_validator(mode="before")
    @classmethod
    def _from_array(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        index, key, digest, size = value
        return {"index": index, "key": urlsafe_b64decode(key + "==").hex(), "digest": digest, "size_bytes": size}


class Headline(Model):
    """One figure of a pass."""

    index: int = Field(alias="i", ge=0)
    name: Annotated[str, StringConstraints(max_length=20)] = Field(alias="n")
    value: Annotated[str, StringConstraints(max_length=12)] = Field(alias="v")
    low: Annotated[str, StringConstraints(max_length=12)] = Field(default="", alias="l")
    high: Annotated[str, StringConstraints(max_length=12)] = Field(default="", alias="h")


class FailureMessage(Model):
    reason: Reason
    message: str = ""
    remedy: str = ""
    path: str = ""
    index: int | None = Field(default=None, alias="i", description="Pass that failed, its position in spec.passes.")
    log: str = Field(default="", alias="l", description="Last lines of the pod's log, as many as there is room for.")

    @model_validator(mode="before")
    @classmethod
    def _in_known_reasons(cls, said: Any) -> Any:
        """A newer runner's reason, for which there is none here, stands before the message."""
        reason = said.get("reason") if isinstance(said, dict) else None
        if not isinstance(reason, str) or reason in list(Reason):
            return said
        return said | {"reason": Reason.INTERNAL, "message": f"{reason}: {said.get('message', '')}"}


class Published(Model):
    """The artifact that was published (or, without an output, that stands in the store)."""

    index: int = Field(alias="i", ge=0, description="Pass whose output it is.")
    uri: Annotated[str, StringConstraints(max_length=2048)] = Field(
        default="", alias="u", description="Left out where it does not fit; it follows from the spec."
    )
    digest: Annotated[str, StringConstraints(max_length=43)] = Field(alias="d")
    size_bytes: int = Field(alias="s", ge=0)
    format: str = Field(default="", alias="f")
    verified_on: Annotated[str, StringConstraints(max_length=32)] = Field(
        default="", alias="o", description="Execution provider that an ONNX model was seen to run on."
    )


class GateOutcome(Model):
    """What a gate came to; on the wire an array [passed, value]: 1, 0, or null for one that was not judged."""

    passed: bool | None
    value: Annotated[str, StringConstraints(max_length=12)] = Field(
        description="What was compared with its bound: the figure, or of maxDrop how much worse it is."
    )

    @model_serializer
    def _array(self) -> list[int | str | None]:
        return [None if self.passed is None else int(self.passed), self.value]

    @model_validator(mode="before")
    @classmethod
    def _from_array(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        passed, told = value
        return {"passed": None if passed is None else bool(passed), "value": told}


class GaveWay(Model):
    """Another job makes the next pass: the stage has ended and is to wait in prepare, or prepare waits."""

    index: int = Field(alias="i", ge=0, description="The pass, its position in spec.passes.")
    job: Annotated[str, StringConstraints(max_length=253)] = Field(alias="j", description="The other job's name.")


class Checkpoint(Model):
    """The newest checkpoint that the store keeps of a pass which is not committed."""

    index: int = Field(alias="i", ge=0, description="The pass, its position in spec.passes.")
    step: int = Field(alias="s", ge=1, description="Optimizer steps done.")


class TerminationMessage(Model):
    """A pod's last word. passes holds every pass whose key is known: committed ones with a digest, others without."""

    version: Literal[1] = Field(default=1, alias="v")
    kind: Literal["prepare", "stage", "delete"]
    passes: list[PassOutcome] = Field(default_factory=empty_list)
    headlines: list[Headline] = Field(default_factory=empty_list)
    gates: list[GateOutcome] = Field(default_factory=empty_list, description="In the order of spec.gates; once judged.")
    published: Published | None = None
    gave_way: GaveWay | None = Field(default=None, alias="gaveWay")
    checkpoint: Checkpoint | None = Field(
        default=None, description="Of the pass that ran; None: there is none, or the pod came to none and read none."
    )
    failure: FailureMessage | None = None

    def encode(self) -> str:
        """Compact JSON of at most 4096 bytes; texts are shortened, and figures beyond the limit left to the report.

        The log's last lines get what room is left.
        """
        fitted = self.model_copy(
            update={"headlines": self.headlines[:MAX_HEADLINES], "failure": _shortened(self.failure)}
        )
        while _room(fitted) < 0:
            fitted = _with_less(fitted)
        if self.failure:
            fitted = _with_log(fitted, self.failure.log)
        return _json(fitted).decode()

    @classmethod
    def decode(cls, text: str) -> "TerminationMessage":
        """The message in a container's termination message, without what a newer runner says more.

        Raises:
            ValueError: the text is something else, such as the log's tail.
        """
        return cls.model_validate_json(text, extra="ignore")


def failure_message(error: FineTuneError, index: int | None, log: str = "") -> FailureMessage:
    """An error as it travels; log: the last lines of it."""
    return FailureMessage(
        reason=error.reason, message=error.message, remedy=error.remedy, path=error.path, index=index, log=log
    )


def metric_values(headlines: list[Headline], index: int) -> list[MetricValue]:
    """The figures of one pass, as they stand in status, which takes none without a name or a value.

    A runner reports no such; the runner may be anybody's image.
    """
    return [
        MetricValue(name=h.name, value=h.value, low=h.low or None, high=h.high or None)
        for h in headlines
        if h.index == index and h.name and h.value
    ]


def figure_line(figure: Headline | MetricValue) -> str:
    """A figure in a line of text: accuracy 0.9500 (0.9100 to 0.9800)."""
    bounds = f" ({figure.low} to {figure.high})" if figure.low else ""
    return f"{figure.name} {figure.value}{bounds}"


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _shortened(failure: FailureMessage | None) -> FailureMessage | None:
    if failure is None:
        return None
    return failure.model_copy(
        update={
            "message": _clip(failure.message, MESSAGE_BYTES),
            "remedy": _clip(failure.remedy, REMEDY_BYTES),
            "path": _clip(failure.path, PATH_BYTES),
            "log": "",
        }
    )


def _json(message: TerminationMessage) -> bytes:
    return message.model_dump_json(by_alias=True, exclude_defaults=True).encode()


def _room(message: TerminationMessage) -> int:
    """Bytes that are left; below 0 there are too many."""
    return LIMIT_BYTES - len(_json(message))


def _with_log(message: TerminationMessage, log: str) -> TerminationMessage:
    """With the last lines of a log that still fit."""
    log = log.encode(errors="replace").decode()
    room = _room(message) - len(LOG_FIELD)
    while log and _json_bytes(log) > room:
        log = log.partition("\n")[2]
    failure = message.failure and message.failure.model_copy(update={"log": log})
    return message.model_copy(update={"failure": failure})


def _clip(text: str, limit: int) -> str:
    """The text in at most `limit` bytes of JSON, where a quote takes two and a control character six."""
    text = text.encode(errors="replace").decode()
    if _json_bytes(text) <= limit:
        return text
    clipped = text[:limit]
    while _json_bytes(clipped + "…") > limit:
        clipped = clipped[:-1]
    return clipped + "…"


def _json_bytes(text: str) -> int:
    """Bytes of a text between JSON's quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode()) - 2


def _with_less(message: TerminationMessage) -> TerminationMessage:
    """Drops what the spec or the report in the store can replace, least needed first."""
    if message.published and message.published.uri:
        return message.model_copy(update={"published": message.published.model_copy(update={"uri": ""})})
    if any(line.low for line in message.headlines):
        bare = [line.model_copy(update={"low": "", "high": ""}) for line in message.headlines]
        return message.model_copy(update={"headlines": bare})
    if message.headlines:
        return message.model_copy(update={"headlines": message.headlines[:-1]})
    if any(not p.digest for p in message.passes):
        return message.model_copy(update={"passes": [p for p in message.passes if p.digest]})
    if message.checkpoint:
        return message.model_copy(update={"checkpoint": None})
    msg = "a termination message without figures does not fit its limit"
    raise ValueError(msg)
