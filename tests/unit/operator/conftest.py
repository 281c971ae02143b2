"""Where tests of several files begin."""

import pytest

from operator_world import World


@pytest.fixture
def running() -> World:
    """The first stage's pod runs."""
    world = World().prepared()
    world.start_pod(world.only)
    world.round()
    return world
