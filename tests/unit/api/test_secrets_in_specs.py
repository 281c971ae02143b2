"""A spec has more readers than a Secret: no login and no credential stands in it, and no error repeats one."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

HUB = {"huggingFace": {"repo": "microsoft/phi", "endpoint": "https://me:s3cret@hub.test"}}


def findings(**parts):
    return [str(problem) for problem in parse(wire_spec(**parts))[1]]


@pytest.mark.parametrize(
    "endpoint", ["https://me:s3cret@s3.test", "https://me:s3/cret@s3.test", "https://s3.test?k=s3cret"]
)
def test_an_endpoint_of_a_bucket_has_no_login_and_no_query(endpoint):
    [text] = findings(store={"s3": {"uri": "s3://models/x", "endpoint": endpoint}})
    assert text.startswith("spec.store.s3.endpoint: ")
    assert "without user, password or query" in text


def test_nor_has_one_of_a_hub_and_the_error_does_not_repeat_it():
    [text] = findings(inputModel={"source": HUB})
    assert text.startswith("spec.inputModel.source.huggingFace.endpoint: 'https://…@hub.test'")


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ({"name": "AWS_SECRET_ACCESS_KEY", "value": "s3cret"}, "is a credential"),
        ({"name": "HF_TOKEN", "value": "s3cret"}, "is a credential"),
        ({"name": "HTTPS_PROXY", "value": "http://me:s3cret@proxy:3128"}, "has a password in it"),
        ({"name": "HTTPS_PROXY", "value": "HTTPS://s3cret@proxy:3128"}, "has a password in it"),
        ({"name": "MLFLOW_TRACKING_URI", "value": "mysql+pymysql://me:s3cret@db/mlflow"}, "has a password in it"),
    ],
)
def test_a_credential_in_a_systems_environment_is_refused_without_repeating_it(variable, words):
    [text] = findings(systems=[{"name": "gpu", "accelerator": {}, "env": [variable]}, {"name": "cpu"}])
    assert text.startswith(f"spec.systems[0].env[0].value: {variable['name']} {words}")
    assert "s3cret" not in text
