"""Writes the tone data set: short everyday phrases, each labelled sadness, joy, fear or surprise.

The material is written by hand, one file per tone. A phrase is one situation, alone or with a reaction of the
same tone. Situations, reactions and openings are split by hand before anything is combined, so that no
held-out phrase repeats a situation or a reaction from training: the held-out figure then says whether the
model reads tone, and not whether it remembers phrases.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import yaml

HERE = Path(__file__).parent
TONES = ("sadness", "joy", "fear", "surprise")
SPLITS = ("train", "heldout")
ROWS_PER_TONE = {"train": 240, "heldout": 60}
# How each situation is told, in turn; the same in both splits.
FORMS = ("tail", "lead", "plain")
SEED = 7
MIN_WORDS, MAX_WORDS = 5, 15
# The labels' own words in all their forms; a model that only matched these would learn nothing.
GIVEAWAYS = ("sad", "joy", "fear", "surpris")

# Shared by all tones on purpose: they are part of how people talk and must not give the tone away.
OPENERS = ("", "", "Well, ", "So, ", "Honestly, ", "You know, ", "Listen, ", "By the way, ")
ENDS = (".", ".", ".", "")
KIN = ("brother", "sister", "cousin", "mother", "father", "aunt")
FRIENDS = ("best friend", "neighbour", "flatmate", "colleague")

Row = dict[str, str]


class DataError(Exception):
    """The data set breaks one of its promises; the text says which."""


def build(split: str) -> list[Row]:
    """All rows of one split, tones mixed. The same every time, on every machine."""
    rng = random.Random(f"{SEED}-{split}")
    rows = [{"phrase": phrase, "tone": tone} for tone in TONES for phrase in phrases(tone, split, rng)]
    rng.shuffle(rows)
    return rows


def phrases(tone: str, split: str, rng: random.Random) -> Iterator[str]:
    """Every situation of the tone, told in each form."""
    material = yaml.safe_load((HERE / "material" / f"{tone}.yaml").read_text(encoding="utf-8"))[split]
    tails, leads = deck(material["tails"], rng), deck(material["leads"], rng)
    for situation in material["situations"]:
        for form in FORMS:
            yield finish(tell(form, fill(situation, rng), tails, leads, rng), rng)


def deck(items: list[str], rng: random.Random) -> Iterator[str]:
    """Each item equally often, and twice the same for one situation only if there is but one item."""
    return cycle(rng.sample(items, len(items)))


def tell(form: str, situation: str, tails: Iterator[str], leads: Iterator[str], rng: random.Random) -> str:
    """One telling of the situation."""
    if form == "tail":
        return f"{situation}, {next(tails)}"
    if form == "lead":
        return f"{next(leads)} {situation}"
    return rng.choice(OPENERS) + situation


def fill(situation: str, rng: random.Random) -> str:
    """Put people in; the same people turn up in every tone."""
    return situation.format_map({"kin": rng.choice(KIN), "friend": rng.choice(FRIENDS)})


def finish(phrase: str, rng: random.Random) -> str:
    """Capital letters at the start and after a question, as a person would write, and an end."""
    before, question, after = phrase.partition("? ")
    return capital(before) + question + (capital(after) if question else "") + rng.choice(ENDS)


def capital(text: str) -> str:
    """Like str.capitalize, but leaves the other letters alone."""
    return text[:1].upper() + text[1:]


def check(splits: dict[str, list[Row]]) -> None:
    """Raise DataError unless the rows are balanced, distinct, disjoint, short and without the labels' words."""
    everything = [row["phrase"] for rows in splits.values() for row in rows]
    twice = [phrase for phrase, count in Counter(map(str.casefold, everything)).items() if count > 1]
    if twice:
        raise DataError(f"not distinct: {twice[0]!r}")
    for split, rows in splits.items():
        counts = Counter(row["tone"] for row in rows)
        if counts != dict.fromkeys(TONES, ROWS_PER_TONE[split]):
            raise DataError(f"{split} is not balanced: {dict(counts)}")
    for phrase in everything:
        if not MIN_WORDS <= len(phrase.split()) <= MAX_WORDS:
            raise DataError(f"not {MIN_WORDS} to {MAX_WORDS} words: {phrase!r}")
        if any(root in phrase.casefold() for root in GIVEAWAYS):
            raise DataError(f"contains the word of a label: {phrase!r}")


def check_material() -> None:
    """Raise DataError if a situation or reaction stands in both splits."""
    for kind in ("situations", "tails", "leads"):
        seen: dict[str, str] = {}
        for tone in TONES:
            material = yaml.safe_load((HERE / "material" / f"{tone}.yaml").read_text(encoding="utf-8"))
            for split in SPLITS:
                for item in material[split][kind]:
                    if item in seen:
                        raise DataError(f"{kind}: {item!r} is in {seen[item]} and in {tone}/{split}")
                    seen[item] = f"{tone}/{split}"


def as_text(rows: list[Row]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def check_committed(splits: dict[str, list[Row]]) -> None:
    """Raise DataError unless the files are what this script writes."""
    for split, rows in splits.items():
        path = HERE / f"{split}.jsonl"
        if not path.is_file() or path.read_text(encoding="utf-8") != as_text(rows):
            raise DataError(f"{path.name} is not what generate.py writes: run it and commit the result")


def main() -> int:
    """Write the files, or only check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a promise is broken")
    only_check = parser.parse_args().check
    splits = {split: build(split) for split in SPLITS}
    try:
        check_material()
        check(splits)
        if only_check:
            check_committed(splits)
    except DataError as error:
        print(f"tone data: {error}", file=sys.stderr)
        return 1
    for split, rows in splits.items():
        if not only_check:
            (HERE / f"{split}.jsonl").write_text(as_text(rows), encoding="utf-8")
        print(f"{split}: {len(rows)} rows, {ROWS_PER_TONE[split]} of each tone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
