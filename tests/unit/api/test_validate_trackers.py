"""What is said of trackers before a pod starts: that their address is known, and that no secret lies open."""

import pytest

from api_specs import wire_spec
from finetune_api.validate import parse

URI = {"name": "MLFLOW_TRACKING_URI", "value": "https://mlflow.example.com"}
KEY = {"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "WANDB_API_KEY"}}}
PLACE = "spec.passes[0].lora.training.reportTo"


def findings(trackers, env=()):
    spec = wire_spec()
    spec["passes"][0]["lora"]["training"] = {"reportTo": trackers}
    spec["systems"][0]["env"] = list(env)
    assert spec["passes"][0]["system"] == spec["systems"][0]["name"] == "gpu"
    return [str(problem) for problem in parse(spec)[1]]


def test_trackers_whose_address_or_key_is_in_the_systems_env_are_taken():
    assert findings(["mlflow", "wandb", "tensorboard"], [URI, KEY]) == []


def test_tensorboard_needs_neither():
    assert findings(["tensorboard"]) == []


@pytest.mark.parametrize(("tracker", "variable"), [("mlflow", "MLFLOW_TRACKING_URI"), ("wandb", "WANDB_API_KEY")])
def test_one_that_is_nowhere_is_refused_with_the_variable_to_set(tracker, variable):
    [text] = findings([tracker])
    assert text.startswith(f"{PLACE}[0]: system 'gpu' does not say where {tracker} is")
    assert f"set {variable} in env of the system, from a Secret or a ConfigMap" in text


def test_weights_and_biases_without_a_server_needs_no_key():
    assert findings(["wandb"], [{"name": "WANDB_MODE", "value": "offline"}]) == []


def test_a_tracker_named_twice_or_unknown_is_refused():
    assert findings(["tensorboard", "tensorboard"]) == [f"{PLACE}[1]: 'tensorboard' is named twice (name it once)"]
    assert findings(["comet_ml"])[0].startswith(f"{PLACE}[0]: ")


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"])
def test_a_credential_in_the_manifest_is_refused_without_repeating_it(name):
    [text] = findings([], [{"name": name, "value": "s3cret"}])
    assert text.startswith(f"spec.systems[0].env[0].value: {name} is a credential (keep it in a Secret")
    assert "s3cret" not in text


def test_a_password_in_an_address_is_one_too():
    [text] = findings([], [URI | {"value": "https://team:s3cret@mlflow.example.com"}])
    assert text.startswith("spec.systems[0].env[0].value: MLFLOW_TRACKING_URI has a password in it")
    assert "s3cret" not in text
