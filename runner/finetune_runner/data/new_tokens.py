"""Tokens that a pass adds to the base's tokenizer. No torch needed."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finetune_api.failures import FineTuneError, Reason


def require_new(tokens: Sequence[str], known: Mapping[str, int], path: str) -> None:
    """That a tokenizer has none of some tokens.

    Args:
        tokens: the new ones.
        known: all tokens of the tokenizer to their ids.
        path: where the new ones stand in the spec.

    Raises:
        FineTuneError: InvalidSpec.
    """
    for index, token in enumerate(tokens):
        if token in known:
            raise FineTuneError(
                Reason.INVALID_SPEC,
                f"the tokenizer has {token!r} already (id {known[token]})",
                remedy="Leave it out: it has an embedding, which the adapter learns to use.",
                path=f"{path}[{index}]",
            )


def add_new_tokens(tokenizer: Any, tokens: Sequence[str], path: str) -> list[int]:
    """Has a tokenizer know further tokens, which it never splits; they are text as all others, no special tokens.

    Args:
        tokenizer: of transformers, or a FileTokenizer; is changed.
        tokens: the new ones.
        path: where they stand in the spec.

    Returns:
        Their ids, in the same order.

    Raises:
        FineTuneError: InvalidSpec, the tokenizer has one already.
    """
    if not tokens:
        return []
    from tokenizers import AddedToken  # noqa: PLC0415

    require_new(tokens, tokenizer.get_vocab(), path)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in tokens])
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[token] for token in tokens]


def vocabulary_of(file: Path) -> dict[str, int]:
    """All tokens that a tokenizer.json lists, to their ids; none where it is not there or lists none.

    A model of BPE, WordPiece or words has them as an object, one of unigrams as pairs of token and score:
    https://huggingface.co/docs/tokenizers/api/models

    Raises:
        FineTuneError: ModelUnsupported, it is not JSON.
    """
    try:
        document = json.loads(file.read_bytes())
    except OSError:
        return {}
    except (ValueError, RecursionError) as error:
        message = f"the model's {file.name} is not JSON: {error}"
        path = "spec.inputModel.source"
        raise FineTuneError(Reason.MODEL_UNSUPPORTED, message, remedy="Upload it again.", path=path) from error
    try:
        listed, added = document["model"]["vocab"], document.get("added_tokens", [])
        if isinstance(listed, list):
            listed = {token: number for number, (token, _) in enumerate(listed)}
        return {**listed, **{token["content"]: token["id"] for token in added}}
    except (ValueError, KeyError, TypeError):
        return {}
