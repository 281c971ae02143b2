"""Importing this hides pandas, which neither image has: where it is there, pyarrow imports it for any array."""

import sys
from collections.abc import Sequence


class _NoPandas:
    """A finder (importlib.abc.MetaPathFinder) that finds nothing."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is hidden", name=name)


sys.meta_path.insert(0, _NoPandas)
