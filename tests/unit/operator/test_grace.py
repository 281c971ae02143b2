"""How long a stage's pod has to stop: by the checkpoint that prepare expects, and as the system says at least."""

import pytest

from api_specs import wire_spec
from finetune_api.messages import Headline, TerminationMessage
from operator_world import World
from runner_words import message


def grace_of(world: World) -> int:
    """Of the pods of the stage whose Job is there."""
    return world.jobs[world.only.name]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def prepared(*sizes: str, index: int = 0, **system: object) -> World:
    """Prepare has told how large checkpoints are, in MiB."""
    world = World(spec=wire_spec(systems=[{"name": "gpu", "accelerator": {}, **system}, {"name": "cpu"}]))
    world.round()
    told = [Headline(index=index, name="checkpointMiB", value=size) for size in sizes]
    word = TerminationMessage.decode(message("prepare", set(), 3)).model_copy(update={"headlines": told})
    child = world.only
    world.end_pod(world.start_pod(child), 0, word.encode())
    world.end_job(child)
    world.round()
    return world


def test_a_large_checkpoint_gets_the_time_that_it_takes() -> None:
    assert grace_of(prepared("2000")) == 130


@pytest.mark.parametrize("size", ["10", "600"])
def test_a_small_one_gets_what_the_system_says(size: str) -> None:
    assert grace_of(prepared(size)) == 60


def test_a_system_that_says_little_gets_more_only_for_the_checkpoint() -> None:
    said = [grace_of(prepared(size, terminationGracePeriodSeconds=20)) for size in ("10", "200")]
    assert said == [20, 30]


def test_a_system_that_says_more_has_its_way() -> None:
    assert grace_of(prepared("2000", terminationGracePeriodSeconds=600)) == 600


def test_no_checkpoint_gets_more_than_an_hour() -> None:
    assert grace_of(prepared("9000000")) == 3600


@pytest.mark.parametrize("value", ["nan", "-5", "1e9", "²"])
def test_what_is_no_size_counts_for_nothing(value: str) -> None:
    assert grace_of(prepared(value)) == 60


def test_a_pass_of_another_stage_has_no_part_in_it() -> None:
    assert grace_of(prepared("2000", index=2)) == 60
