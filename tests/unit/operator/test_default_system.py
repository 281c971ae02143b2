"""What systems get from the operator: what they leave open, and nothing that they say themselves."""

from api_specs import spec_of
from finetune_api.resource.systems import System
from finetune_operator.default_system import DefaultSystem, overfull, with_defaults

PROXY = {"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}
CERTIFICATES = {"name": "ca", "mountPath": "/etc/ca", "readOnly": True, "configMap": {"name": "ca"}}
TAINT = {"key": "nvidia.com/gpu", "operator": "Exists", "value": "", "effect": ""}
DEFAULT = DefaultSystem.model_validate(
    {
        "env": [PROXY],
        "volumes": [CERTIFICATES],
        "imagePullSecrets": [{"name": "registry"}],
        "serviceAccountName": "tuner",
        "nodeSelector": {"pool": "ml", "zone": "a"},
        "tolerations": [TAINT],
    }
)


def filled(**fields) -> dict:
    return with_defaults(System.model_validate({"name": "gpu", **fields}), DEFAULT).to_wire()


def test_a_system_that_says_nothing_gets_all() -> None:
    system = filled()
    assert (system["env"], system["volumes"]) == ([PROXY], [CERTIFICATES])
    assert system["imagePullSecrets"] == [{"name": "registry"}]
    assert system["serviceAccountName"] == "tuner"
    assert system["nodeSelector"] == {"pool": "ml", "zone": "a"}
    assert system["tolerations"] == [TAINT]


def test_what_a_system_says_itself_stays() -> None:
    own = {"name": "HTTPS_PROXY", "value": ""}
    system = filled(env=[own], serviceAccountName="own", nodeSelector={"zone": "b"}, tolerations=[TAINT])
    assert system["env"] == [own]
    assert system["serviceAccountName"] == "own"
    assert system["nodeSelector"] == {"pool": "ml", "zone": "b"}
    assert system["tolerations"] == [TAINT]


def test_a_place_that_a_system_uses_is_its_own() -> None:
    own = {"name": "mine", "mountPath": "/etc/ca", "readOnly": True, "secret": {"secretName": "ca"}}
    assert filled(volumes=[own])["volumes"] == [own]


def test_a_list_that_becomes_too_long_is_told_before_a_pod_is_made() -> None:
    env = [{"name": f"V{n}", "value": ""} for n in range(32)]
    systems = spec_of(systems=[{"name": "gpu"}, {"name": "cpu", "env": env}]).systems
    (problem,) = overfull(systems, DEFAULT)
    assert str(problem).startswith("spec.systems[1].env: 33 with those that the operator adds")
