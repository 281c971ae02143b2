"""That an exported model runs: a fresh process loads it with onnxruntime-genai and has it answer."""

import logging
import sys

from finetune_api.export_options import NEEDS_ACCELERATOR, RUN_HERE, gives_logits
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.exports import Export
from finetune_runner.passes.child_process import KILLED, ChildFailedError, run_logged
from finetune_runner.passes.contract import PassInputs

CHILD = "finetune_runner.passes.exporting.trial_child"
TRUSTING = "--trust-remote-code"
RAN_ON = "ran on "
"""Before the execution provider, in the child's last line when all went well."""
SURROUNDINGS = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
SILENT_SECONDS = 1800

log = logging.getLogger(__name__)


def verified_on(config: Export, inputs: PassInputs) -> str:
    """The execution provider that the model in `inputs.output` has answered on: the one that it is made for.

    Empty where that is not there, or where the graph is only part of a model; then nobody has seen it run.

    Raises:
        FineTuneError: ExportFailed, it does not run; OutOfHostMemory, its process was killed.
    """
    provider = config.execution_provider or inputs.execution_provider
    if reason := _untried(config, provider, accelerator=inputs.accelerator):
        log.warning("the exported model is not tried: %s", reason)
        return ""
    said = _said(inputs, provider)
    if said != RAN_ON + provider:
        log.warning("the exported model is made for %s and is not verified there: %s", provider, said)
        return ""
    log.info("the exported model runs on %s", provider)
    return provider


def _untried(config: Export, provider: str, *, accelerator: bool) -> str:
    """Why a model can't be run here; empty where it can."""
    if not gives_logits(config):
        return "it lacks its embedding or its head"
    if provider not in RUN_HERE:
        return f"there is no {provider} here"
    if provider in NEEDS_ACCELERATOR and not accelerator:
        return f"{provider} needs an accelerator, and the pass's system has none"
    return ""


def _said(inputs: PassInputs, provider: str) -> str:
    """The child's last line."""
    lines: list[str] = []
    try:
        command = [sys.executable, "-m", CHILD, str(inputs.output), provider]
        command += [TRUSTING] if inputs.trust_remote_code else []
        run_logged(command, SURROUNDINGS, lines.append, SILENT_SECONDS)
    except ChildFailedError as error:
        raise _failure(error, inputs.path) from error
    return lines[-1] if lines else "it said nothing"


def _failure(error: ChildFailedError, path: str) -> FineTuneError:
    if error.status == KILLED:
        message = "the exported model was killed while it was tried, most likely for its memory"
        return FineTuneError(
            Reason.OUT_OF_HOST_MEMORY, message, remedy="Raise the system's resources: memory.", path=path
        )
    last = error.tail[-1] if error.tail else "it said nothing"
    return FineTuneError(
        Reason.EXPORT_FAILED,
        f"the exported model does not run under onnxruntime-genai: {last} (the process {error})",
        remedy="Another precision or algorithm may work; extraOptions may ask for what the runtime can't do.",
        path=path,
    )
