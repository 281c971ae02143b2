"""plugin: a third party's pass, run as the contract in finetune_api.plugin says."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason
from finetune_api.plugin import PluginInputs, Product
from finetune_api.resource.plugin import Plugin
from finetune_runner.data import prompt_file
from finetune_runner.passes.contract import FIGURES_FILE, PassInputs, PassResult, Report
from finetune_runner.passes.model_files import TOKENIZER_FILES, carry_notices, carry_tokenizer
from finetune_runner.plugins.checking import named
from finetune_runner.plugins.failures import own_failures
from finetune_runner.plugins.installed import InstalledPlugin
from finetune_runner.store.beside_names import RESERVED

EXPECTED = {
    Product.MODEL: "config.json",
    Product.ADAPTER: "adapter_config.json",
    Product.ONNX: "genai_config.json",
    Product.FIGURES: FIGURES_FILE,
}
"""The file without which a directory is no such product."""


def run(config: Plugin, inputs: PassInputs, report: Report) -> PassResult:
    """Runs the plugin, and sees to it that its output is what it says it makes.

    Raises:
        FineTuneError: PluginFailed; or what the plugin's exception stands for, such as a full disk.
    """
    plugin = named(config.name, inputs.path)
    with own_failures(plugin, inputs.path):
        answer = plugin.kind().run(plugin.parse(config.config), _given(inputs, report))
    figures = _figures(plugin, answer, inputs.path)
    if plugin.kind.produces is Product.FIGURES:
        _write_figures(inputs.output / FIGURES_FILE, figures)
    else:
        _carry(inputs.source, inputs.output)
    expected = EXPECTED[plugin.kind.produces]
    if not (inputs.output / expected).is_file():
        message = f"{plugin.title} has ended without writing {expected}"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, path=inputs.path)
    _refuse_reserved(plugin, inputs)
    return PassResult({name: f"{value:.6g}" for name, value in figures.items()})


def _refuse_reserved(plugin: InstalledPlugin, inputs: PassInputs) -> None:
    for name in RESERVED:
        if (inputs.output / name).exists():
            raise FineTuneError(
                Reason.PLUGIN_FAILED,
                f"{plugin.title} has written {name}, a name that publishing needs",
                remedy="Give the file another name.",
                path=inputs.path,
            )


def _given(inputs: PassInputs, report: Report) -> PluginInputs:
    return PluginInputs(
        source=inputs.source,
        product=inputs.product,
        base=inputs.base,
        output=inputs.output,
        accelerator=inputs.accelerator,
        trust_remote_code=inputs.trust_remote_code,
        report=report,
    )


def _figures(plugin: InstalledPlugin, answer: Any, path: str) -> dict[str, float]:
    try:
        return {str(name): float(value) for name, value in dict(answer or {}).items()}
    except (TypeError, ValueError) as error:
        message = f"{plugin.title} gave back {answer!r}, not figures by name"
        raise FineTuneError(Reason.PLUGIN_FAILED, message, path=path) from error


def _carry(source: Path, output: Path) -> None:
    """What belongs to every model and need not be the plugin's concern; its own files win."""
    if not any((output / name).is_file() for name in TOKENIZER_FILES):
        carry_tokenizer(source, output)
    carry_notices(source, output)
    if not (output / prompt_file.NAME).is_file():
        prompt_file.carry_prompt(source, output)


def _write_figures(file: Path, figures: Mapping[str, float]) -> None:
    if not file.exists():
        file.write_text(json.dumps({"metrics": dict(figures)}, indent=2) + "\n", encoding="utf-8")
