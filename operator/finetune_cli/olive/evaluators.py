"""evaluators → spec.evaluators, and the evaluate passes that use them. Pure."""

from dataclasses import dataclass

from finetune_cli.olive.context import Context
from finetune_cli.olive.data import data_config
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.names import label
from finetune_cli.olive.section import Section, Sourced, items

METRICS = {"perplexity": "perplexity", "accuracy_score": "accuracy", "exact_match": "exactMatch"}
"""Olive's sub-types of accuracy to the metric that stands for them."""
MEANING = {
    "perplexity": "e to the power of the mean loss a token of the answer",
    "accuracy": "the share of rows whose generated answer equals the expected one",
    "exactMatch": "the share of rows where all that is generated equals the expected answer",
}
MAX_NAME = 20
NO_METRIC = ("no metric of an evaluate pass corresponds to it", "measure it on the artifact")
NO_GOAL = ("figures decide nothing yet", "compare them in status, or in the report")
CODE = ("code of the config is not run", "use perplexity or accuracy_score")


@dataclass(frozen=True)
class Evaluator:
    """One that is carried over."""

    draft: Draft
    data: Sourced
    """The rows it is measured on."""


class Evaluators:
    """All that are carried over, by Olive's name."""

    def __init__(self, context: Context, data: list[Draft]) -> None:
        self._context = context
        self._data = data
        self._found: dict[str, Evaluator | None] = {}

    def read(self, section: Section) -> None:
        for raw in section:
            inner = section.part(raw)
            self._found[raw] = self._evaluator(Sourced(raw, inner.steps), inner)

    def reference(self, section: Section, name: str) -> Evaluator | None:
        """One named, or written in place."""
        given = section.peek(name)
        if given is None:
            return None
        if isinstance(given.value, dict):
            found = self._evaluator(Sourced(name, given.steps), Section.of(self._context.ledger, given))
            self._found[f"{name} at {given.steps}"] = found
            return found
        section.take(name)
        if given.value not in self._found if isinstance(given.value, str) else True:
            known = f"known: {', '.join(self._found)}" if self._found else "there is none"
            self._context.ledger.not_carried(given.steps, f"no evaluator is named {str(given.value)[:80]!r}", known)
            return None
        found = self._found[given.value]
        if found is None:
            message = "none of the evaluator's metrics is carried over"
            self._context.ledger.not_carried(given.steps, message, "see the reports on its metrics")
        return found

    @property
    def drafts(self) -> list[Draft]:
        return [found.draft for found in self._found.values() if found]

    def _evaluator(self, raw: Sourced, section: Section) -> Evaluator | None:
        section = section.flat("type_args")
        section.text("name")
        section.refuse({"user_script": CODE, "script_dir": CODE, "type": NO_METRIC})
        metrics: dict[str, Draft] = {}
        rows: Sourced | None = None
        for item in items(self._context.ledger, section.peek("metrics")):
            found, data = self._metric(Section.of(self._context.ledger, item))
            if found and rows and data.value != rows.value:
                message = "one evaluator measures on one set of rows"
                self._context.ledger.not_carried(data.steps, message, "write an evaluator of its own for it")
                continue
            metrics |= {metric["name"]: metric for metric in found}
            rows = rows or (data if found else None)
        if rows is None:
            return None
        return Evaluator({"name": self._context.evaluator_names.give(raw), "metrics": list(metrics.values())}, rows)

    def _metric(self, section: Section) -> tuple[list[Draft], Sourced]:
        """The figures of one of Olive's metrics, and its rows."""
        ledger = self._context.ledger
        name, kind = section.text("name"), section.text("type")
        subs = [Section.of(ledger, item) for item in items(ledger, section.peek("sub_types"))]
        section.refuse({"user_config": CODE, "goal": NO_GOAL, "priority": NO_GOAL})
        section.text("backend")  # which library computes a figure changes nothing of it
        rows = self._rows(section)
        if kind is None or kind.value != "accuracy":
            found = kind or name
            ledger.not_carried(found.steps if found else section.steps, *NO_METRIC)
            _refuse_goals(subs)
            for sub in subs:
                sub.refuse({"name": NO_METRIC})
            return [], Sourced(None, section.steps)
        kinds = list(dict.fromkeys(figure for sub in subs if (figure := self._figure(sub))))
        _refuse_goals(subs)
        only = label(str(name.value))[:MAX_NAME].strip("-") if name and len(kinds) == 1 else ""
        figures = [{"name": only or kind.lower(), kind: {}} for kind in kinds]
        if figures and rows is None:
            message = "no rows to measure on"
            ledger.not_carried(section.steps, message, "name a data config by data_config")
            return [], Sourced(None, section.steps)
        return figures, rows or Sourced(None, section.steps)

    def _figure(self, sub: Section) -> str | None:
        given = sub.text("name")
        chosen = METRICS.get(given.value) if given else None
        if given and chosen is None:
            self._context.ledger.not_carried(given.steps, *NO_METRIC)
        if given and chosen:
            self._context.ledger.note(given.steps, f"{chosen}: {MEANING[chosen]}")
        return chosen

    def _rows(self, section: Section) -> Sourced | None:
        given = section.peek("data_config")
        if given is None:
            return None
        if isinstance(given.value, dict):
            written = data_config(Section.of(self._context.ledger, given), self._context, instead="measured")
            self._data.append(written)
            return Sourced(written["name"], given.steps)
        section.take("data_config")
        return Sourced(self._context.data_names.known(str(given.value)) or given.value, given.steps)


def _refuse_goals(subs: list[Section]) -> None:
    for sub in subs:
        sub.refuse(dict.fromkeys(("goal", "priority"), NO_GOAL))
        sub.refuse({"higher_is_better": NO_GOAL, "metric_config": NO_METRIC})
