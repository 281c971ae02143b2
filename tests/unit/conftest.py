"""How many examples a property is tried with: a few each time, many with `make soak`. And what keeps the tier quick."""

import gc
import sys

import pytest
from hypothesis import HealthCheck, settings

import without_pandas  # noqa: F401 (before any array is made)

SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]

COMMON = settings(deadline=None, suppress_health_check=SLOW)
settings.register_profile("few", COMMON, max_examples=5, stateful_step_count=40, derandomize=True)
settings.register_profile("soak", COMMON, max_examples=5000)
settings.load_profile("few")


def pytest_collection() -> None:
    """Imports make many objects, and all of them stay: looking for garbage took a third of collecting."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(200_000, 50, 1000)
    gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Importing torch alone takes seconds; so do pytest's five last looks for garbage, at all that was ever made."""
    gc.freeze()
    if "torch" in sys.modules:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print("\nsomething that tests/unit uses imports torch")  # noqa: T201
