"""report_to is carried over, and what a tracker needs is read from a Secret and never written down."""

import pytest

from finetune_api.validate import parse
from olive_configs import MODERN, changed, imported, reports, spec_of

REPORT_TO = ("passes", "tune", "training_args", "report_to")
VARIABLES = ("systems", "gpu", "environment_variables")


def tracked(value, **variables):
    return changed(MODERN, (REPORT_TO, value), (VARIABLES, variables))


def trackers(spec):
    return spec["passes"][0]["lora"]["training"].get("reportTo")


def from_secret(name):
    secret = name.partition("_")[0].lower()
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": name}}}


@pytest.mark.parametrize("given", ["mlflow", ["mlflow"], ["mlflow", "mlflow"]])
def test_a_tracker_is_carried_over_with_its_address_from_a_secret(given):
    found = imported(tracked(given))
    spec = found.manifest["spec"]
    assert trackers(spec) == ["mlflow"]
    assert spec["systems"][0]["env"] == [from_secret("MLFLOW_TRACKING_URI")]
    assert found.lossless
    assert any("kubectl create secret generic mlflow" in str(note) for note in found.notes)


def test_one_that_needs_no_address_gets_none():
    spec = spec_of(tracked("tensorboard"))
    assert trackers(spec) == ["tensorboard"]
    assert "env" not in spec["systems"][0]


@pytest.mark.parametrize("given", [None, "none", []])
def test_none_is_none(given):
    found = imported(tracked(given))
    assert trackers(found.manifest["spec"]) is None
    assert found.lossless


def test_others_are_reported_and_the_rest_is_carried_over():
    found = imported(tracked(["wandb", "comet_ml"]))
    assert trackers(found.manifest["spec"]) == ["wandb"]
    [text] = reports(found)
    assert text.startswith("$.passes.tune.training_args.report_to: not carried: 'comet_ml' is no tracker here")
    assert len(reports(imported(tracked(["mlflow", {"a": 1}, 7])))) == 2
    assert reports(imported(tracked("all")))[0].endswith("(name mlflow, wandb, tensorboard)")


def test_an_address_that_the_system_has_already_is_kept():
    spec = spec_of(tracked("mlflow", MLFLOW_TRACKING_URI="https://mlflow.example.com"))
    assert spec["systems"][0]["env"] == [{"name": "MLFLOW_TRACKING_URI", "value": "https://mlflow.example.com"}]


@pytest.mark.parametrize(
    ("name", "value"), [("WANDB_API_KEY", "s3cret"), ("MLFLOW_TRACKING_URI", "https://team:s3cret@mlflow.example.com")]
)
def test_a_secret_in_the_config_does_not_get_into_the_manifest(name, value):
    found = imported(tracked(["wandb" if name.startswith("W") else "mlflow"], **{name: value}))
    assert found.manifest["spec"]["systems"][0]["env"] == [from_secret(name)]
    assert "s3cret" not in str(found.manifest) + "".join(map(str, found.notes))
    assert parse(found.manifest["spec"])[1] == []
