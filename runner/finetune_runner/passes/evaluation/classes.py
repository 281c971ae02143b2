"""Scores of answers that are classes. Pure."""

from collections.abc import Sequence

import numpy as np

from finetune_runner.passes.evaluation.answers import Answer
from finetune_runner.passes.evaluation.bootstrap import Numbers

MAX_CLASSES = 50
"""More different answers than this are no classes."""


def classes_of(answers: Sequence[Answer]) -> list[str]:
    """The answers that rows expect, in order; none where there are too many for classes."""
    classes = sorted({given.expected for given in answers})
    return classes if len(classes) <= MAX_CLASSES else []


def marks(answers: Sequence[Answer], classes: Sequence[str]) -> Numbers:
    """A row each: for every class whether it was expected, then whether it was given, then whether it was both.

    An answer that is no class was given as none of them.
    """
    names = np.array(classes)
    expected = np.array([given.expected for given in answers])[:, None] == names
    got = np.array([given.got for given in answers])[:, None] == names
    return np.hstack([expected, got, expected & got]).astype(float)


def f1_scores(sums: Numbers) -> Numbers:
    """Each class's F1 score, from sums of marks: the harmonic mean of precision and recall, 0 without a hit."""
    expected, got, both = np.split(sums, 3, axis=-1)
    return _share(2 * both, expected + got)


def macro_f1(sums: Numbers) -> Numbers:
    """The unweighted mean of F1 over the classes that are expected at least once."""
    expected = np.split(sums, 3, axis=-1)[0] > 0
    return np.asarray(f1_scores(sums).mean(axis=-1, where=expected))


def class_scores(answers: Sequence[Answer], classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Class to precision (of those given, how many were right), recall (of those expected), F1 and number of rows."""
    sums = marks(answers, classes).sum(axis=0)
    expected, got, both = np.split(sums, 3)
    columns = zip(classes, _share(both, got), _share(both, expected), f1_scores(sums), expected, strict=True)
    return {
        name: {"precision": float(precision), "recall": float(recall), "f1": float(f1), "rows": int(rows)}
        for name, precision, recall, f1, rows in columns
    }


def _share(part: Numbers, whole: Numbers) -> Numbers:
    """0 of nothing."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
