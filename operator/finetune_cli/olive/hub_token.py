"""The hub's token: the config says that there is one, a Secret holds it. Pure."""

from finetune_cli.olive.context import Context
from finetune_cli.olive.section import Section


def ask_with_token(section: Section, context: Context, *names: str) -> None:
    """Has the hub asked with a token, if the first of some keys says so; the token itself is never written."""
    given = section.take(*names)
    if given is None or given.value is False:
        return
    if not isinstance(given.value, (str, bool)):
        context.ledger.not_carried(given.steps, "neither true nor a token", "write true")
        return
    context.hub_token = True
    message = "the hub's token is read from key token of a Secret named hf"
    context.ledger.note(given.steps, message, "kubectl create secret generic hf --from-literal=token=…")
