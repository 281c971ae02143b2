"""{% generation %} … {% endgeneration %} in a chat template: what stands between is what the model writes."""

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.ext import Extension

from finetune_runner.data.marks import marked


class GenerationTag(Extension):
    """Puts marks around what the block renders."""

    tags = {"generation"}  # noqa: RUF012  Jinja's own declaration

    def parse(self, parser: Any) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_marked"), [], [], body).set_lineno(line)

    def _marked(self, caller: Callable[[], str]) -> str:
        return marked(caller())
