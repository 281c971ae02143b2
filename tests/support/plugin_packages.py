"""Packages with plugins: the example, installed as a user would, and a small one whose plugins go wrong."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import REPOSITORY

EXAMPLE = REPOSITORY / "examples" / "plugin"
SAMPLE = '''
from finetune_api.plugin import PluginConfig, PluginMetric, PluginPass, Product


class Config(PluginConfig):
    keep_ratio: float = 0.5


class Scale(PluginPass[Config]):
    """Scales weights."""

    config = Config

    def run(self, config, inputs):
        inputs.report(step=1, total_steps=1)
        (inputs.output / "config.json").write_text("{}")
        return {"kept": config.keep_ratio}


class Count(Scale):
    produces = Product.FIGURES
    accepts = frozenset({Product.ONNX})


class Raises(Scale):
    def run(self, config, inputs):
        raise ValueError("no such layer\\nsecond line")


class Exits(Scale):
    def run(self, config, inputs):
        raise SystemExit(0)


class FillsTheDisk(Scale):
    def run(self, config, inputs):
        raise OSError(28, "No space left on device")


class WritesNothing(Scale):
    def run(self, config, inputs):
        return None


class Vouches(Scale):
    def run(self, config, inputs):
        (inputs.output / "provenance.intoto.json").write_text("{}")
        return super().run(config, inputs)


class GivesText(Scale):
    def run(self, config, inputs):
        super().run(config, inputs)
        return "fine"


class Unfinished(PluginPass[Config]):
    config = Config


class Needy(Scale):
    libraries = ("no-such-library",)


class Limit(PluginConfig):
    characters: int = 10


class Brief(PluginMetric[Limit]):
    """Whether an answer is brief."""

    config = Limit

    def scores(self, config, answers):
        return [len(answer.got) <= config.characters for answer in answers]


class Length(Brief):
    higher_is_better = False

    def scores(self, config, answers):
        return [len(answer.got) for answer in answers]


class Forgets(Brief):
    def scores(self, config, answers):
        return super().scores(config, answers[1:])


class Divides(Brief):
    def scores(self, config, answers):
        return [float("nan") for _ in answers]


class Babbles(Brief):
    def scores(self, config, answers):
        return "fine"


class Stumbles(Brief):
    def scores(self, config, answers):
        raise KeyError("no such answer")


class Undecided(Brief):
    higher_is_better = "mostly"
'''
PLUGINS = {
    "scale": "Scale",
    "count": "Count",
    "raises": "Raises",
    "exits": "Exits",
    "fills-the-disk": "FillsTheDisk",
    "writes-nothing": "WritesNothing",
    "vouches": "Vouches",
    "gives-text": "GivesText",
    "unfinished": "Unfinished",
    "needy": "Needy",
    "missing": "Missing",
    "no-pass": "Config",
}
METRICS = {
    "brief": "Brief",
    "length": "Length",
    "forgets": "Forgets",
    "divides": "Divides",
    "babbles": "Babbles",
    "stumbles": "Stumbles",
    "undecided": "Undecided",
    "a-pass": "Scale",
}


def write_sample(folder: Path, version: str = "1.2.3") -> Path:
    """The package finetune-sample as an installer leaves it."""
    (folder / "finetune_sample.py").write_text(SAMPLE)
    info = folder / f"finetune_sample-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: finetune-sample\nVersion: {version}\n")
    groups = {"passes": PLUGINS, "metrics": METRICS}
    (info / "entry_points.txt").write_text("".join(_section(name, kinds) for name, kinds in groups.items()))
    return folder


def _section(group: str, kinds: dict[str, str]) -> str:
    offered = "".join(f"{name} = finetune_sample:{kind}\n" for name, kind in kinds.items())
    return f"[finetune_operator.{group}]\n{offered}\n"


@pytest.fixture
def sample_plugins(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample, installed in this process."""
    folder = write_sample(tmp_path_factory.mktemp("plugins"))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "finetune_sample", raising=False)
    importlib.invalidate_caches()
    return folder


def install_example(folder: Path) -> Path:
    """The example's package, installed into a folder of its own."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PYTHONPATH": str(REPOSITORY / "hack")}
    ask = [sys.executable, "-c", "from images.programs import uv; print(uv())"]
    uv = subprocess.run(ask, env=environment, check=True, capture_output=True, text=True).stdout.split()[-1]
    command = [uv, "pip", "install", "-q", "--python", sys.executable, "--no-deps", "--target", folder, EXAMPLE]
    subprocess.run(command, env=environment, check=True)
    return folder
