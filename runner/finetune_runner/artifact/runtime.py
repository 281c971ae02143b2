"""The artifact on its own runtime, onnxruntime-genai, a token at a time."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from finetune_api.export_options import CPU, CUDA
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.artifact.adapters import adapter_file, meant
from finetune_runner.artifact.stop_tokens import GENAI_CONFIG

PROVIDERS = {
    "CPU": CPU,
    "CUDA": CUDA,
    "DML": "DmlExecutionProvider",
    "WebGPU": "WebGpuExecutionProvider",
}
"""What onnxruntime-genai calls a device, to the execution provider of onnxruntime."""


class Runtime:
    """A loaded model, with an adapter that lies beside it, if any."""

    def __init__(self, folder: Path, stop: frozenset[int], adapter: str = "") -> None:
        """Loads it.

        Args:
            folder: the artifact's.
            stop: tokens that end an answer.
            adapter: name of the one that goes over it; empty: the only one.

        Raises:
            FineTuneError: ModelUnsupported, it is no ONNX model, or the runtime is not installed or can't load it;
                InvalidSpec, there is no such adapter, or there are several and none is named.
        """
        if not (folder / GENAI_CONFIG).is_file():
            remedy = "Chat with what a modelBuilder or an extractAdapters pass has made."
            raise FineTuneError(Reason.MODEL_UNSUPPORTED, f"{folder} holds no ONNX model", remedy=remedy)
        self._adapter = meant(folder, adapter)
        self._genai = _genai()
        decoder = json.loads((folder / GENAI_CONFIG).read_text(encoding="utf-8"))["model"]
        self.context_length = int(decoder["context_length"])
        """Most tokens of a prompt and its answer together."""
        self._least = int((decoder["decoder"].get("sliding_window") or {}).get("window_size") or 0)
        """The key-value cache must hold a sliding window, however short the text."""
        self._stop = stop
        try:
            self._model = self._genai.Model(str(folder))
            self._adapters = self._loaded(folder) if self._adapter else None
        except RuntimeError as error:
            remedy = "Install the onnxruntime-genai package of its execution provider, as -cuda or -directml."
            message = f"it can't be loaded: {str(error).strip()}"
            raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy=remedy) from error

    @property
    def provider(self) -> str:
        """The execution provider that it runs on; empty for one that has no name here."""
        return PROVIDERS.get(self._model.device_type, "")

    def generator(self, prompt: Sequence[int], limit: int, *, at_least: int = 0) -> Any:
        """One that has read the prompt, and generates `at_least` to `limit` tokens."""
        parameters = self._genai.GeneratorParams(self._model)
        length = min(max(len(prompt) + limit, self._least), self.context_length)
        least = len(prompt) + at_least if at_least else 0
        parameters.set_search_options(do_sample=False, max_length=length, min_length=least)
        generator = self._genai.Generator(self._model, parameters)
        if self._adapters:
            generator.set_active_adapter(self._adapters, self._adapter)
        generator.append_tokens(list(prompt))
        return generator

    def answer(self, prompt: Sequence[int], limit: int) -> Iterator[int]:
        """The likeliest next tokens, up to the end of the text or the limit.

        Raises:
            ValueError: the prompt leaves no room for an answer.
        """
        return (token for token, _ in self.choices(prompt, limit) if token not in self._stop)

    def choices(self, prompt: Sequence[int], limit: int) -> Iterator[tuple[int, Any]]:
        """The likeliest next tokens with what each is chosen by, up to and with one that ends the text, or the limit.

        What a token is chosen by has shape [1, 1, vocabulary].

        Raises:
            ValueError: the prompt leaves no room for an answer.
        """
        if len(prompt) >= self.context_length:
            msg = f"the prompt has {len(prompt)} tokens, and the model takes {self.context_length} with the answer"
            raise ValueError(msg)
        generator = self.generator(prompt, limit)
        for _ in range(limit):
            if generator.is_done():
                return
            logits = generator.get_logits()
            generator.generate_next_token()
            token = int(generator.get_next_tokens()[0])
            yield token, logits
            if token in self._stop:
                return

    def logits(self, prompt: Sequence[int], steps: int) -> Iterator[Any]:
        """What the next token is chosen by, at each of so many steps, which no end of the text cuts short.

        Args:
            prompt: its last tokens are left out where it does not fit the model with the steps.
            steps: how many tokens are generated.
        """
        read = prompt[: max(1, self.context_length - steps)]
        generator = self.generator(read, steps, at_least=steps)
        for _ in range(steps):
            yield generator.get_logits()
            generator.generate_next_token()

    def _loaded(self, folder: Path) -> Any:
        adapters = self._genai.Adapters(self._model)
        adapters.load(str(folder / adapter_file(self._adapter)), self._adapter)
        return adapters


def _genai() -> Any:
    try:
        import onnxruntime_genai  # noqa: PLC0415  heavy, and not needed for anything else
    except ImportError as error:
        remedy = "pip install onnxruntime-genai (for an artifact for CUDA: onnxruntime-genai-cuda)."
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, "onnxruntime-genai is not installed", remedy=remedy) from error
    return onnxruntime_genai
