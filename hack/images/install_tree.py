"""Lay our packages out as an installer would; runs while an image is built.

Standard library only and no network: a wheel build would fetch its backend. Packages,
scripts and version come from pyproject.toml, which stays the one place that names them;
a package that was not copied into the build (the operator, in the runner's image) is left
out together with its script.
"""

import compileall
import py_compile
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

SCRIPT = """\
#!/usr/bin/env python3
import sys

from {module} import {function}

sys.exit({function}())
"""


def install(source: Path, target: Path) -> None:
    """Fill ``target``/lib and ``target``/bin from the checkout at ``source``."""
    settings = tomllib.loads((source / "pyproject.toml").read_text())
    library = target / "lib"
    packages = copy_packages(source, library, settings)
    write_scripts(target / "bin", settings["project"].get("scripts", {}), packages)
    write_metadata(library, source, settings["project"])
    if not compileall.compile_dir(
        library,
        quiet=1,
        stripdir=library,
        prependdir=library,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    ):
        sys.exit("our code does not compile; see above")


def copy_packages(source: Path, library: Path, settings: dict[str, Any]) -> set[str]:
    """Copy the packages that pyproject.toml lists and the build was given; return their names."""
    listed = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    given = [source / path for path in listed if (source / path).is_dir()]
    for package in given:
        shutil.copytree(package, library / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return {package.name for package in given}


def write_scripts(folder: Path, scripts: dict[str, str], packages: set[str]) -> None:
    folder.mkdir(parents=True)
    for name, entry_point in scripts.items():
        module, _, function = entry_point.partition(":")
        if module.split(".")[0] in packages:
            script = folder / name
            script.write_text(SCRIPT.format(module=module, function=function))
            script.chmod(0o755)


def write_metadata(library: Path, source: Path, project: dict[str, Any]) -> None:
    """Let ``importlib.metadata.version`` answer, and keep the licence with the code."""
    name, version = project["name"], project["version"]
    folder = library / f"{name.replace('-', '_')}-{version}.dist-info"
    (folder / "licenses").mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    shutil.copy(source / "LICENSE", folder / "licenses/LICENSE")


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]))
