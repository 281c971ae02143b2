"""The chart as it might have been a version ago: another version, and a definition without a field that came later."""

import json
import shutil
from pathlib import Path

import yaml

from cluster_setup import CHART

VERSION = "0.0.9"
LATER_FIELD = "limits"
"""Of spec."""


def previous_chart(folder: Path) -> Path:
    """A copy of the chart below a folder, changed so."""
    chart = Path(shutil.copytree(CHART, folder / "previous" / CHART.name))
    description = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(description | {"version": VERSION, "appVersion": VERSION}))
    definition = chart / "files" / "finetunejobs.yaml"
    definition.write_text(_without_later_field(definition.read_text()))
    return chart


def _without_later_field(text: str) -> str:
    definition = yaml.safe_load(text)
    (version,) = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    del spec["properties"][LATER_FIELD]
    rules = "x-kubernetes-validations"
    spec[rules] = [rule for rule in spec[rules] if f"self.{LATER_FIELD}" not in rule["rule"]]
    # In the form that the chart's template looks for.
    return "\n".join(f"{key}: {json.dumps(value)}" for key, value in definition.items()) + "\n"
