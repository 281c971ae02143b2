"""Applies the example and tells how it goes, until it is Complete or Failed."""

import sys
from collections.abc import Mapping
from typing import Any

from demo.commands import DemoError, run, watched

NAMESPACE = "tone"
JOB = "tone"


def apply(variables: Mapping[str, str]) -> dict[str, Any]:
    """A fresh FineTuneJob from examples/tone.yaml, watched to its end; returns the finished object."""
    kubectl = ["kubectl", "--namespace", NAMESPACE]
    run([*kubectl, "delete", "finetunejob", JOB, "--ignore-not-found"], variables)
    run([*kubectl, "apply", "--filename", "examples/tone.yaml"], variables)
    watch = [*kubectl, "get", "finetunejob", JOB, "--watch", "--output", "json"]
    teller = _Teller()
    for job in watched(watch, variables):
        teller.tell(job.get("status", {}))
        if _holds(job, "Complete"):
            return job
        if _holds(job, "Failed"):
            failure = job["status"]["failure"]
            raise DemoError(f"the job failed: {failure['reason']}: {failure['message']} {failure.get('remedy', '')}")
    raise DemoError("the watch of the job ended before the job did")


def _holds(job: Mapping[str, Any], condition: str) -> bool:
    found = job.get("status", {}).get("conditions", [])
    return any(c["type"] == condition and c["status"] == "True" for c in found)


class _Teller:
    """Prints a line when there is something new to say."""

    def __init__(self) -> None:
        self._last = ""

    def tell(self, status: Mapping[str, Any]) -> None:
        line = _line(status)
        if line and line != self._last:
            print(f"  {line}", file=sys.stderr, flush=True)
            self._last = line


def _line(status: Mapping[str, Any]) -> str:
    progress = status.get("progress", {})
    parts = [status.get("phase", "Pending"), status.get("currentPass", "")]
    if progress.get("totalSteps"):
        parts.append(f"{progress.get('step', 0)}/{progress['totalSteps']} ({progress.get('percent', 0)} %)")
    if progress.get("loss"):
        parts.append(f"loss {progress['loss']}")
    if progress.get("tokensPerSecond"):
        parts.append(f"{progress['tokensPerSecond']} tokens/s")
    if progress.get("etaSeconds"):
        parts.append(f"about {progress['etaSeconds']} s left")
    return "  ".join(part for part in parts if part)
