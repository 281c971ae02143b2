"""Where the machine reaches the internet by a proxy, nothing goes through it on the way to a cluster of its own."""

from pathlib import Path

from cluster import environment, processes, settings


def test_a_proxy_of_the_machine_is_none_of_the_clusters():
    given = {"https_proxy": "http://proxy:3128", "HTTP_PROXY": "x", "NO_PROXY": "y", "ALL_PROXY": "z", "HOME": "/root"}
    assert processes.without_proxies(given) == {"HOME": "/root"}


def test_nor_does_a_shell_that_uses_the_cluster_go_through_it(monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "internal.example.com,localhost")
    found = environment.variables(settings.Cluster("demo", 1, Path("/nowhere")))
    assert found["NO_PROXY"] == found["no_proxy"]
    assert found["NO_PROXY"].split(",") == [
        "internal.example.com",
        "localhost",
        "127.0.0.1",
        "10.211.1.2",
        "10.211.1.0/24",
        "10.212.1.0/24",
        "10.213.1.0/24",
    ]
