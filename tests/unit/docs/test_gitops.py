"""The health checks of docs/gitops.md, run as they stand there on jobs that the operator's own core has decided on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml
from lupa.lua51 import LuaRuntime

from api_specs import wire_spec
from finetune_api import API_VERSION, KIND
from finetune_operator.status_patch import status_patch
from operator_world import World

PAGE = (Path(__file__).parents[3] / "docs" / "gitops.md").read_text()
Json = dict[str, Any]


def manifest(heading: str) -> Json:
    """The one under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2]
    return yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])


def job(world: World) -> Json:
    """As the API server has it."""
    seen = world.observe()
    status = status_patch(seen, seen.status)["status"]
    metadata = {"name": seen.name, "generation": world.generation}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": seen.spec, "status": status}


def waiting() -> World:
    world = World().prepared()
    late = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    world.start_pod(world.only, running=False, conditions=[late])
    return world.rounds(1)


def suspended() -> World:
    world = World().prepared()
    world.suspend(True)
    world.round()
    world.finish_deletions()
    return world.rounds(2)


def resumed() -> World:
    """Nobody has looked at it since."""
    world = suspended()
    world.suspend(False)
    return world


PHASES: dict[str, Callable[[], World]] = {
    "Preparing": lambda: World().rounds(1),
    "Running": lambda: World().prepared().rounds(1),
    "Waiting": waiting,
    "Suspended": suspended,
    "Complete": lambda: World().completed(),
    "Failed": lambda: World(spec=wire_spec([("merge", "cpu", "merge")])).rounds(1),
}
FLUX = {"Complete": "Current", "Failed": "Failed"}
ARGO = {"Complete": "Healthy", "Failed": "Degraded", "Suspended": "Suspended"}


def flux(found: Json) -> str:
    """What Flux makes of it: https://github.com/fluxcd/flux2/tree/main/rfcs/0009-custom-health-checks."""
    [check] = manifest("Flux")["spec"]["healthCheckExprs"]
    assert (check["apiVersion"], check["kind"]) == (API_VERSION, KIND)
    if found["status"].get("observedGeneration", found["metadata"]["generation"]) != found["metadata"]["generation"]:
        return "InProgress"
    order = {"inProgress": "InProgress", "failed": "Failed", "current": "Current"}
    return next((means for name, means in order.items() if cel.evaluate(check[name], found)), "InProgress")


def argo(found: Json) -> tuple[str, str]:
    """Health and message; Argo CD's Lua is 5.1, and obj the job."""
    script = manifest("Argo CD")["data"][f"resource.customizations.health.{API_VERSION.partition('/')[0]}_{KIND}"]
    lua = LuaRuntime()
    lua.globals()["obj"] = lua.table_from(found, recursive=True)
    told = lua.execute(script)
    return told["status"], told["message"]


@pytest.mark.parametrize("phase", PHASES)
def test_what_flux_and_argo_cd_are_told_means_what_the_phase_says(phase: str) -> None:
    found = job(PHASES[phase]())
    assert found["status"]["phase"] == phase
    assert flux(found) == FLUX.get(phase, "InProgress")
    health, message = argo(found)
    assert health == ARGO.get(phase, "Progressing")
    assert message in [condition["message"] for condition in found["status"]["conditions"]]


def test_a_job_that_nobody_has_looked_at_yet_is_in_progress() -> None:
    assert flux({"metadata": {"generation": 1}, "status": {}}) == "InProgress"
    assert argo({"metadata": {"generation": 1}})[0] == "Progressing"


def test_so_is_one_whose_newest_spec_nobody_has_looked_at_yet() -> None:
    found = job(resumed())
    assert (flux(found), argo(found)[0]) == ("InProgress", "Progressing")
