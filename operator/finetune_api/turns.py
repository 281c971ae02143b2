"""In whose turn a pass is made, where several candidates are tried one after the other. Pure."""

from collections.abc import Mapping, Sequence

from finetune_api.resource.gates import Gate
from finetune_api.resource.job import FineTuneJobSpec


def decides_on(spec: FineTuneJobSpec, gate: Gate, candidate: str) -> bool:
    """Whether a gate must be passed for a candidate to be published: all count, but those on other candidates."""
    return gate.after == candidate or gate.after not in spec.candidates


def turns(spec: FineTuneJobSpec, made_from: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Name of each pass to the position of the candidate in whose turn it is made; 0 without candidates.

    That is the first candidate that can't be made or judged without it. A pass that only measures, or that no candidate
    needs, is made in the turn of what it works on. So nothing is made from what comes in a later turn.

    Args:
        spec: a valid spec.
        made_from: name of each pass, in order, to what it is made from: its input first, then what it also needs.
    """
    upstream: dict[str, set[str]] = {}
    for name, sources in made_from.items():
        upstream[name] = {name}.union(*(upstream.get(source, ()) for source in sources))
    needed = [
        set[str]().union(*(upstream[name] for name in _wanted(spec, candidate, made_from)))
        for candidate in spec.candidates
    ]
    measuring = {step.name for step in spec.passes if step.evaluate}
    found: dict[str, int] = {}
    for name, sources in made_from.items():
        follows = max(found.get(source, 0) for source in sources)
        first = next((turn for turn, names in enumerate(needed) if name in names), follows)
        found[name] = follows if name in measuring else first
    return found


def _wanted(spec: FineTuneJobSpec, candidate: str, made_from: Mapping[str, Sequence[str]]) -> set[str]:
    """The candidate, and what measures it and what else its gates look at."""
    gates = [gate for gate in spec.gates if decides_on(spec, gate, candidate)]
    return {candidate}.union(*(_looked_at(spec, gate, made_from) for gate in gates))


def _looked_at(spec: FineTuneJobSpec, gate: Gate, made_from: Mapping[str, Sequence[str]]) -> set[str]:
    """The evaluate passes whose figures a gate may be judged by."""
    evaluators = {e.name for e in spec.evaluators if any(metric.name == gate.metric for metric in e.metrics)}
    return {
        step.name
        for step in spec.passes
        if step.evaluate
        and step.evaluate.evaluator in evaluators
        and made_from[step.name][0] in (gate.after, gate.compared_to)
    }
