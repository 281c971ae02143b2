"""Two clusters of one name or number on a machine: the second is refused before anything is changed."""

from pathlib import Path

import pytest
from cluster import cli, neighbours, options, settings
from cluster.errors import ClusterError

ELSEWHERE = Path("/home/another/.local/state/finetune-operator")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Cables and routes of a machine, none to begin with; and no program is run on the real one."""
    there = {"cables": {}, "routes": [{"dst": "default", "dev": "eth0"}, {"dst": "10.0.0.0/8", "dev": "eth0"}]}
    monkeypatch.setenv("FINETUNE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(neighbours, "LOCKS", tmp_path / "locks")
    monkeypatch.setattr(neighbours, "cables", lambda: there["cables"])
    monkeypatch.setattr(neighbours, "routes", lambda: there["routes"])
    return there


COMMANDS = ("down --purge", "status", "env", "load x.tar", "restart etcd", "kill etcd", "gpus 1", "kueue --remove")


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_touches_a_cluster_of_the_same_name_that_is_anothers(machine, capsys, command):
    machine["cables"]["finetune7"] = str(ELSEWHERE / "demo")
    assert cli.main([*command.split(), "--name", "demo"]) == 1
    told = capsys.readouterr().err
    assert f"the cluster demo of this machine is the one in {ELSEWHERE / 'demo'}" in told
    assert f"FINETUNE_STATE={ELSEWHERE}" in told
    assert not settings.state_dir().exists()


def test_what_it_would_be_brought_up_with_is_not_even_noted_down(machine, monkeypatch):
    monkeypatch.setattr(cli.preflight, "check", lambda *_, **__: [])
    machine["cables"]["finetune7"] = str(ELSEWHERE / "demo")
    assert cli.main(["up", "--name", "demo", "--gpus", "2", "--subnet", "9"]) == 1
    assert not settings.state_dir().exists()


def test_clusters_of_other_names_and_its_own_network_are_in_nobodys_way(machine):
    cluster = settings.cluster("demo")
    machine["cables"] |= {"finetune1": str(cluster.root), "finetune7": str(ELSEWHERE / "test"), "finetune9": "another"}
    neighbours.require_own(cluster)
    neighbours.require_addresses(cluster)


@pytest.mark.parametrize("route", ["10.211.1.0/24", "10.212.1.0/25", "10.213.1.7"])
def test_a_route_of_somebody_else_to_or_into_a_network_of_it_is_not_taken_over(machine, route):
    machine["routes"].append({"dst": route, "dev": "tun0"})
    with pytest.raises(ClusterError, match=f"tun0 .route to {route}"):
        neighbours.require_addresses(settings.cluster("demo"))


def test_a_new_cluster_takes_the_next_addresses_where_those_of_its_name_are_taken(machine):
    """By a network, by a route, by a cluster that is down: all that was remembered of it is its number."""
    preferred = settings.cluster("demo").subnet
    machine["cables"][f"finetune{preferred}"] = str(ELSEWHERE / "other")
    machine["routes"].append({"dst": f"10.212.{preferred + 1}.0/24", "dev": "docker0"})
    options.change(settings.state_dir() / "down", subnet=preferred + 2)
    found = neighbours.settled(settings.cluster("demo"))
    assert found.subnet == preferred + 3
    assert settings.cluster("demo") == found


def test_it_keeps_what_it_has_certificates_for(machine):
    cluster = settings.cluster("demo")
    cluster.certs.mkdir(parents=True)
    machine["cables"][cluster.cable] = str(ELSEWHERE / "other")
    assert neighbours.settled(cluster) == cluster
    with pytest.raises(ClusterError, match="down --purge"):
        neighbours.require_addresses(cluster)


def test_a_cluster_for_which_nothing_is_left_is_refused(machine):
    machine["cables"] |= {f"finetune{subnet}": str(ELSEWHERE / f"c{subnet}") for subnet in range(1, 255)}
    with pytest.raises(ClusterError, match="all taken"):
        neighbours.settled(settings.cluster("demo"))
