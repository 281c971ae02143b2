import pytest

from finetune_operator.pod_identity import PodIdentity
from finetune_operator.settings import LeaseSettings, Settings, SettingsError

LEAST = {"FINETUNE_OPERATOR_IMAGE": "operator:1", "FINETUNE_RUNNER_IMAGE": "runner:1"}


def test_the_two_images_are_enough() -> None:
    settings = Settings.from_environment(LEAST)
    assert (settings.operator_image, settings.runner_image) == ("operator:1", "runner:1")
    assert settings.runner_cuda_image == ""
    assert settings.watch_namespaces == ()
    assert settings.default_store is None
    assert settings.resync_seconds == 60


def test_empty_variables_as_a_chart_writes_them_mean_the_default() -> None:
    empty = {"FINETUNE_WATCH_NAMESPACES": "", "FINETUNE_DEFAULT_STORE": "", "FINETUNE_RESYNC_SECONDS": ""}
    assert Settings.from_environment(LEAST | empty) == Settings.from_environment(LEAST)


def test_namespaces_are_separated_by_commas() -> None:
    settings = Settings.from_environment(LEAST | {"FINETUNE_WATCH_NAMESPACES": "a, b,"})
    assert settings.watch_namespaces == ("a", "b")


def test_the_default_store_is_written_as_in_the_spec() -> None:
    text = '{"s3": {"uri": "s3://models/cache", "credentialsSecretRef": {"name": "s3"}}}'
    store = Settings.from_environment(LEAST | {"FINETUNE_DEFAULT_STORE": text}).default_store
    assert store.s3.credentials_secret_ref.name == "s3"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FINETUNE_OPERATOR_IMAGE", ""),
        ("FINETUNE_RUNNER_IMAGE", " "),
        ("FINETUNE_IMAGE_PULL_POLICY", "Sometimes"),
        ("FINETUNE_DEFAULT_STORE", '{"s3": {}}'),
        ("FINETUNE_DEFAULT_STORE", "not JSON"),
        ("FINETUNE_RESYNC_SECONDS", "soon"),
        ("FINETUNE_PROGRESS_INTERVAL_SECONDS", "0"),
        ("FINETUNE_PROGRESS_INTERVAL_SECONDS", "nan"),
        ("FINETUNE_LOG_FORMAT", "xml"),
        ("FINETUNE_POD_LOG_FORMAT", "xml"),
        ("FINETUNE_POD_SECURITY", '{"runAsUser": 0}'),
        ("FINETUNE_METRICS_PORT", "http"),
        ("FINETUNE_METRICS_PORT", "65536"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(LEAST | {name: value})


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        (
            '{"name": "FINETUNE_POD_NAME", "value": "x"}',
            r"env\[0\].name: FINETUNE_… is the operator's own",
        ),
        ('{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}', "are both set"),
        ('{"name": "WANDB_API_KEY", "value": "x"}', "WANDB_API_KEY is a credential .keep it in a Secret"),
        ('{"name": "MLFLOW_TRACKING_URI", "value": "http://me:word@mlflow"}', "has a password in it"),
        ('{"name": "PORT", "value": 3128}', "valid string"),
    ],
)
def test_what_every_job_gets_is_held_to_what_a_job_may_say_itself(variable: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        Settings.from_environment(LEAST | {"FINETUNE_DEFAULT_SYSTEM": f'{{"env": [{variable}]}}'})


@pytest.mark.parametrize(
    ("told", "identity"),
    [
        ("", PodIdentity(run_as_user=10001, run_as_group=10001, fs_group=10001)),
        ("{}", PodIdentity()),
        ('{"runAsUser": 1000680000, "fsGroup": null}', PodIdentity(run_as_user=1000680000)),
    ],
)
def test_an_identity_that_is_not_told_is_the_images_own_and_what_it_leaves_out_the_platforms(
    told: str, identity: PodIdentity
) -> None:
    assert Settings.from_environment(LEAST | {"FINETUNE_POD_SECURITY": told}).pod_identity == identity


def test_with_a_lease_it_must_know_who_it_is() -> None:
    lease = {"FINETUNE_LEASE_NAME": "operator", "FINETUNE_POD_NAMESPACE": "system", "FINETUNE_POD_NAME": "operator-1"}
    settings = Settings.from_environment(LEAST | lease)
    assert settings.lease == LeaseSettings("system", "operator", "operator-1")
    with pytest.raises(SettingsError, match="FINETUNE_POD_NAME "):
        Settings.from_environment(LEAST | lease | {"FINETUNE_POD_NAME": ""})


def test_without_a_lease_it_is_the_only_one() -> None:
    assert Settings.from_environment(LEAST).lease is None


@pytest.mark.parametrize(("pod_ip", "host"), [("10.0.0.7", "10.0.0.7"), ("fd00::7", "[fd00::7]"), ("", "0.0.0.0")])
def test_it_tells_that_it_is_alive_at_its_pods_address_of_either_family(pod_ip: str, host: str) -> None:
    settings = Settings.from_environment(LEAST | {"FINETUNE_POD_IP": pod_ip})
    assert settings.liveness_endpoint == f"http://{host}:8081/healthz"
