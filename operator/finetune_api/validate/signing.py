"""That the key which signs the artifact is seen by nothing that makes it. Pure."""

from collections.abc import Iterator

from pydantic import BaseModel

from finetune_api.problem import Problem
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.locations import SecretKeyReference, SecretReference
from finetune_api.resource.systems import SecretVolume

PATH = "spec.output.signing.keySecretRef.name"


def signing_problems(spec: FineTuneJobSpec) -> Iterator[Problem]:
    """That nothing else names the Secret: what else does is mounted into the pods that run passes."""
    if spec.output is None or spec.output.signing is None:
        return
    name = spec.output.signing.key_secret_ref.name
    rest = spec.model_copy(update={"output": spec.output.model_copy(update={"signing": None})})
    other = next((path for path, secret in _secrets(rest, "spec") if secret == name), None)
    if other:
        message = f"{other} names Secret {name!r} too, so that pods which run passes could sign with it"
        yield Problem(PATH, message, "put the key into a Secret of its own")


def _secrets(value: object, path: str) -> Iterator[tuple[str, str]]:
    """The Secrets whose content pods see, each with its place."""
    if isinstance(value, SecretReference | SecretKeyReference):
        yield path, value.name
    elif isinstance(value, SecretVolume):
        yield path, value.secret_name
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _secrets(getattr(value, name), f"{path}.{field.alias or name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, f"{path}[{index}]")
