"""What the JSON of a Job or Pod says of its state."""

from typing import Any

ENDS = ("Succeeded", "Failed")


def is_live(pod: dict[str, Any]) -> bool:
    return pod["status"]["phase"] not in ENDS


def is_running(pod: dict[str, Any]) -> bool:
    return pod["status"]["phase"] == "Running"


def exit_code(pod: dict[str, Any]) -> int | None:
    containers = pod["status"].get("containerStatuses") or [{}]
    return containers[0].get("state", {}).get("terminated", {}).get("exitCode")


def ended_as(job: dict[str, Any]) -> str:
    kinds = [condition["type"] for condition in job["status"].get("conditions", [])]
    return next((kind for kind in kinds if kind in ("Complete", "Failed")), "")


def is_queued(job: dict[str, Any]) -> bool:
    return bool(job["spec"].get("suspend"))


def is_deleting(wire: dict[str, Any]) -> bool:
    return "deletionTimestamp" in wire["metadata"]
