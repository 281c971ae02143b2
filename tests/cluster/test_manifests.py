"""The API server accepts what it should: every example, and whatever finetune import makes."""

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from cluster_access import Cluster
from command_line import REPOSITORY
from olive_any import configs
from olive_configs import imported

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))
ONCE_FOR_ALL = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def accepted(cluster: Cluster, manifest: str) -> str:
    return cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifest)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_accepted(cluster: Cluster, example) -> None:
    assert "(server dry run)" in accepted(cluster, example.read_text())


@settings(max_examples=40, derandomize=True, deadline=None, database=None, suppress_health_check=ONCE_FOR_ALL)
@given(config=configs())
def test_whatever_is_imported_is_accepted(cluster: Cluster, config) -> None:
    made = imported(config).manifest
    if made is not None:
        assert "(server dry run)" in accepted(cluster, yaml.safe_dump(made))
