"""Exports without a child process, for tests of what is exported: the builder takes seconds to import."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from finetune_runner.passes.exporting import builder_process


@pytest.fixture(scope="module")
def builder_here() -> Any:
    """The builder's part of an export is done by this process, which also fails in the child's stead."""

    def run(command: list[str], surroundings: dict[str, str], on_line: Callable[[str], None], seconds: float) -> None:
        from finetune_runner.passes.exporting.builder_child import export

        export(**json.loads(command[-1]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builder_process, "run_logged", run)
        yield
