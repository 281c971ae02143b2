"""Whether the pod has what a pass's trackers need: asked before anything is downloaded, and without torch."""

import importlib.util
import os
from collections.abc import Iterable, MutableMapping
from urllib.parse import unquote, urlsplit

from finetune_api.failures import FineTuneError, Reason
from finetune_api.trackers import TRACKERS


def require(names: Iterable[str], path: str) -> None:
    """That trackers can be told.

    Args:
        names: of TRACKERS.
        path: of training.reportTo in the spec.

    Raises:
        FineTuneError: InvalidSpec, a library is not in the image, or an address is not set.
    """
    for name in names:
        needs = TRACKERS[name]
        if not any(importlib.util.find_spec(module) for module in needs.modules):
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"the runner's image has no {' or '.join(needs.modules)}",
                remedy="Set image of the system to one built on the runner's with it (docs/tuning.md), or drop it.",
                path=path,
            )
        if needs.variables and not any(os.environ.get(variable) for variable in needs.variables):
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"{name} needs the environment variable {' or '.join(needs.variables)}, which is not set or empty",
                remedy="Set it in env of the system, from a Secret or a ConfigMap.",
                path=path,
            )


def part_login_from_address(environment: MutableMapping[str, str]) -> None:
    """Moves a login in MLflow's address to the variables for it: MLflow prints the address, as it is, into the log."""
    address = urlsplit(environment.get("MLFLOW_TRACKING_URI", ""))
    login, at, host = address.netloc.rpartition("@")
    if not at:
        return
    user, _, password = login.partition(":")
    environment.setdefault("MLFLOW_TRACKING_USERNAME", unquote(user))
    environment.setdefault("MLFLOW_TRACKING_PASSWORD", unquote(password))
    environment["MLFLOW_TRACKING_URI"] = address._replace(netloc=host).geturl()
