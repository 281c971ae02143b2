"""Importing this keeps pyarrow from pandas, which neither image has: where it is there, any array imports it."""

import sys
from collections.abc import Sequence

import pyarrow as pa


class _NoPandas:
    """A finder (importlib.abc.MetaPathFinder) that hides it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is hidden", name=name)


sys.meta_path.insert(0, _NoPandas)
pa.array([0])  # looks for pandas; what it finds counts as long as the process lasts
sys.meta_path.remove(_NoPandas)
