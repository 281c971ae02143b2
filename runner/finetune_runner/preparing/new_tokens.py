"""New tokens looked up in the base's tokenizer before an accelerator is asked for."""

from finetune_api.plan import BASE, input_name
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora
from finetune_runner.data.file_tokenizer import TOKENIZER
from finetune_runner.data.new_tokens import require_new, vocabulary_of
from finetune_runner.layout import PodLayout
from finetune_runner.sources import base_model
from finetune_runner.sources.base_model import PinnedModel

FETCHED_TO = ("prepare", "tokenizer")


def check_new_tokens(spec: FineTuneJobSpec, base: PinnedModel, layout: PodLayout) -> None:
    """That the input model's tokenizer lacks what passes add to it, where its tokenizer.json tells.

    Where it does not, as of a model that is converted first, the pass itself looks.

    Raises:
        FineTuneError: InvalidSpec; ModelNotFound, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    passes = [
        (step.config, f"spec.passes[{index}].{step.variant_alias}.newTokens")
        for index, step in enumerate(spec.passes)
        if input_name(spec, index) == BASE
    ]
    wanted = [(config.new_tokens, path) for config, path in passes if isinstance(config, Lora) and config.new_tokens]
    if not wanted or base.conversion == "gguf":
        return
    folder = layout.folder(*FETCHED_TO)
    base_model.fetch_tokenizer(spec.input_model, layout, folder)
    known = vocabulary_of(folder / TOKENIZER)
    for tokens, path in wanted:
        require_new(tokens, known, path)
