"""The key that signs an artifact lies in a Secret of its own: pods that run passes must not see it."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

SIGNED = {
    "s3": {"uri": "s3://models/out", "credentialsSecretRef": {"name": "s3"}},
    "signing": {"keySecretRef": {"name": "signer", "key": "key.pem"}},
}
ENV = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "signer", "key": "token"}}}
VOLUME = {"name": "keys", "mountPath": "/keys", "secret": {"secretName": "signer"}}


def findings(**parts):
    return [str(problem) for problem in parse(wire_spec(output=SIGNED) | parts)[1]]


def test_a_secret_of_its_own_is_right():
    assert findings() == []


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        (
            {"systems": [{"name": "gpu", "accelerator": {}, "env": [ENV]}, {"name": "cpu"}]},
            "systems[0].env[0].valueFrom.secretKeyRef",
        ),
        (
            {"systems": [{"name": "gpu", "accelerator": {}}, {"name": "cpu", "volumes": [VOLUME]}]},
            "systems[1].volumes[0].secret",
        ),
        (
            {"store": {"s3": {"uri": "s3://models/x", "credentialsSecretRef": {"name": "signer"}}}},
            "store.s3.credentialsSecretRef",
        ),
    ],
    ids=["environment", "volume", "store"],
)
def test_one_that_something_else_names_is_refused(parts, place):
    assert findings(**parts) == [
        f"spec.output.signing.keySecretRef.name: spec.{place} names Secret 'signer' too, so that pods which run passes"
        " could sign with it (put the key into a Secret of its own)"
    ]
