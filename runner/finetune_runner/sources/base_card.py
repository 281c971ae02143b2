"""What a base model's own card says of its licence, which holds for what is made from it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from finetune_api.resource.base import Model
from finetune_runner.sources.source import ListedSource

README = "README.md"
MOST_BYTES = 2**20
FRONT_MATTER = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(\r?\n|$)", re.DOTALL)
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LINK = re.compile(r"https?://[!-~]{1,500}|[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")


class BaseCard(Model):
    """The licence, in the fields of a model card's front matter; empty where the base has no card or none fits.

    https://huggingface.co/docs/hub/model-cards
    """

    license: str = ""
    license_name: str = ""
    license_link: str = ""


def read_card(source: ListedSource, names: Sequence[str]) -> BaseCard:
    """The card among a source's files.

    Raises:
        FineTuneError: AuthDenied, HubUnavailable, StoreUnavailable.
    """
    if README not in names:
        return BaseCard()
    pinned = source.resolve(README.__eq__)
    content = source.read(pinned, pinned.files[0], MOST_BYTES)
    return card_of(content.decode("utf-8", errors="replace"))


def card_of(text: str) -> BaseCard:
    """What the front matter of a card says; the text is a stranger's, so nothing else of it is taken."""
    said = _front_matter(text)
    return BaseCard(
        license=_fitting(said.get("license"), IDENTIFIER),
        license_name=_fitting(said.get("license_name"), IDENTIFIER),
        license_link=_fitting(said.get("license_link"), LINK),
    )


def _front_matter(text: str) -> Mapping[str, Any]:
    block = FRONT_MATTER.match(text)
    try:
        found = yaml.safe_load(block[1]) if block else None
    except (ValueError, yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _fitting(value: object, pattern: re.Pattern[str]) -> str:
    return value if isinstance(value, str) and pattern.fullmatch(value) else ""
