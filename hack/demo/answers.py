"""Asks the downloaded artifact itself, with onnxruntime-genai and what lies in its folder."""

import json
from pathlib import Path
from typing import Any

from demo.commands import CHECKOUT

PHRASES = 5
LONGEST_ANSWER = 8


def ask(artifact: Path) -> list[dict[str, str]]:
    """The artifact's answers to five held-out phrases, one of each tone and one more."""
    import onnxruntime_genai as og  # noqa: PLC0415 - heavy, and only needed here
    from tokenizers import Tokenizer  # noqa: PLC0415

    model, tokenizer = og.Model(str(artifact)), Tokenizer.from_file(str(artifact / "tokenizer.json"))
    template = json.loads((artifact / "prompt.json").read_text())["textTemplate"]
    return [
        {"phrase": row["phrase"], "expected": row["tone"], "got": _answer(og, model, tokenizer, _prompt(template, row))}
        for row in _phrases()
    ]


def _phrases() -> list[dict[str, str]]:
    lines = (CHECKOUT / "examples" / "tone" / "heldout.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    first_of_each = {row["tone"]: row for row in reversed(rows)}.values()
    others = [row for row in rows if row not in first_of_each]
    return [*first_of_each, *others][:PHRASES]


def _prompt(template: str, row: dict[str, str]) -> str:
    """The template up to the answer, as in training."""
    before, _, _ = template.rpartition("{tone}")
    return before.format(**row)


def _answer(og: Any, model: Any, tokenizer: Any, prompt: str) -> str:
    """onnxruntime-genai's own tokenizer leaves out the first token that the model was trained with, and pays for it."""
    generator = og.Generator(model, _parameters(og, model))
    generator.append_tokens(tokenizer.encode(prompt).ids)
    answer: list[int] = []
    while not generator.is_done() and len(answer) < LONGEST_ANSWER:
        generator.generate_next_token()
        answer.append(int(generator.get_next_tokens()[0]))
    return str(tokenizer.decode(answer)).strip()


def _parameters(og: Any, model: Any) -> Any:
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(do_sample=False, max_length=1024)
    return parameters
