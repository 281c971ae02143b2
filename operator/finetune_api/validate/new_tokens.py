"""What is wrong with a tuning pass's new tokens. Pure."""

from collections.abc import Iterator

from finetune_api.problem import Problem
from finetune_api.resource.passes import Lora

EMBEDDINGS = ("embed_tokens", "lm_head")
"""What the embedding and the output head are called in nearly all models."""


def new_token_problems(config: Lora, path: str) -> Iterator[Problem]:
    """That each is new among the others, and that nothing else trains their rows.

    Args:
        config: of the pass.
        path: where it stands.
    """
    tokens = config.new_tokens
    for index, token in enumerate(tokens):
        if token in tokens[:index]:
            yield Problem(f"{path}.newTokens[{index}]", f"{token!r} is named twice", "name it once")
    fields = {"targetModules": config.target_modules, "modulesToSave": config.modules_to_save}
    for field, names in fields.items() if tokens else ():
        for index, name in enumerate(names):
            if name.rpartition(".")[2] in EMBEDDINGS:
                message = f"newTokens trains rows of {name!r}, which can't have another adapter"
                yield Problem(f"{path}.{field}[{index}]", message, "leave one of the two out")
