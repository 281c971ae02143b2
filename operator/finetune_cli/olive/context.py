"""What the parts of an import share."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from finetune_cli.olive.names import Names
from finetune_cli.olive.places import Files, Places
from finetune_cli.olive.section import Ledger

if TYPE_CHECKING:
    from finetune_cli.olive.parts import Part

HUB_TOKEN = {"name": "hf", "key": "token"}
"""The Secret's key that stands for the hub's token."""


@dataclass
class Context:
    ledger: Ledger
    files: Files
    places: Places
    parts: "dict[str, Part]" = field(default_factory=dict)
    """Data configs, by name, that mean a share of a split."""
    hub_token: bool = False
    """Whether the hub is asked with a token."""
    data_names: Names = field(init=False)
    system_names: Names = field(init=False)
    evaluator_names: Names = field(init=False)
    pass_names: Names = field(init=False)

    def __post_init__(self) -> None:
        self.data_names = Names(self.ledger)
        self.system_names = Names(self.ledger)
        self.evaluator_names = Names(self.ledger)
        self.pass_names = Names(self.ledger, "base")

    def token_reference(self) -> dict[str, str] | None:
        return dict(HUB_TOKEN) if self.hub_token else None
