"""What is wrong with the environment that a system gives its pods. Pure."""

from collections.abc import Iterator, Sequence

from finetune_api.problem import Problem
from finetune_api.redaction import CREDENTIALS, without_logins
from finetune_api.resource.systems import EnvVar

OWN_ENV_PREFIX = "FINETUNE_"
"""Environment variables that the operator gives the pods."""
ELSEWHERE = "keep it in a Secret, and set valueFrom.secretKeyRef"


def env_problems(env: Sequence[EnvVar], path: str) -> Iterator[Problem]:
    """All that is wrong with variables, a job's own as well as those that every job gets.

    Args:
        env: the variables.
        path: where they stand.
    """
    for index, variable in enumerate(env):
        place = f"{path}[{index}]"
        if variable.name.startswith(OWN_ENV_PREFIX):
            yield Problem(f"{place}.name", f"{OWN_ENV_PREFIX}… is the operator's own", "choose another name")
        if variable.value is not None and variable.value_from is not None:
            yield Problem(place, "value and valueFrom are both set", "keep one of the two")
        yield from _credential_problems(variable, place)


def _credential_problems(variable: EnvVar, place: str) -> Iterator[Problem]:
    """That no credential stands in a manifest, which more people can read than a Secret."""
    if not variable.value:
        return
    if variable.name in CREDENTIALS:
        yield Problem(f"{place}.value", f"{variable.name} is a credential", ELSEWHERE)
    elif without_logins(variable.value) != variable.value:
        yield Problem(f"{place}.value", f"{variable.name} has a password in it", ELSEWHERE)
