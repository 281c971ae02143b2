"""What a preview is made from: rows and tokenizer of a job, fetched to this machine for as long as it takes."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from finetune_api.resource.data import DataConfig
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Pass, Tuning
from finetune_cli.local import pod_root
from finetune_cli.local.pod_root import Mapped
from finetune_cli.local.references import Reference, within
from finetune_runner import datasets
from finetune_runner.cache_keys.data_roles import data_names
from finetune_runner.data.preview import Preview, preview_data, preview_pass
from finetune_runner.data.tokenizers import open_tokenizer
from finetune_runner.layout import PodLayout
from finetune_runner.passes.contract import DataSet
from finetune_runner.sources import base_model

Subject = Pass | DataConfig
"""What is looked at: a tuning pass, or a data config by itself."""
T = TypeVar("T")


def subject_of(spec: FineTuneJobSpec, *, step: str, data: str) -> Subject:
    """What the names mean; without any, the only tuning pass, or else the only data config.

    Args:
        spec: a valid spec.
        step: name of a tuning pass, or empty.
        data: name of a data config, or empty.

    Raises:
        ValueError: they mean nothing, or too much.
    """
    tuning = {one.name: one for one in spec.passes if isinstance(one.config, Tuning)}
    configs = {one.name: one for one in spec.data_configs}
    if step:
        return _named(tuning, "tuning pass", step)
    if data:
        return _named(configs, "data config", data)
    candidates: Mapping[str, Subject] = tuning or configs
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if tuning:
        msg = f"several passes tune: say --pass {' or --pass '.join(tuning)}"
    else:
        msg = f"no pass tunes: say --data {' or --data '.join(configs)}" if configs else "the job reads no rows"
    raise ValueError(msg)


def previewed(spec: FineTuneJobSpec, subject: Subject, mapped: Mapped, limit: int) -> Preview:
    """The first `limit` sequences of the subject, and its statistics.

    Raises:
        FineTuneError: what is wrong with rows, tokenizer or their sources.
    """
    names = {"": subject.name} if isinstance(subject, DataConfig) else data_names(spec, subject)
    with _layout(_wanted(spec, set(names.values())), mapped) as layout:
        folder = layout.folder("base")
        base_model.fetch_tokenizer(spec.input_model, layout, folder)
        tokenizer = open_tokenizer(folder, trust_remote_code=spec.input_model.trust_remote_code)
        data = {role: _data_set(spec, name, layout) for role, name in names.items()}
        if isinstance(subject, Pass) and isinstance(subject.config, Tuning):
            path = f"spec.passes[{spec.passes.index(subject)}].{subject.variant_alias}"
            return preview_pass(subject.config, data, tokenizer, path, limit)
        return preview_data(data[""], tokenizer, limit)


def _named(known: Mapping[str, T], kind: str, name: str) -> T:
    if name not in known:
        there_is = f"there is {', '.join(known)}" if known else "there is none"
        msg = f"no {kind} is named {name!r}; {there_is}"
        raise ValueError(msg)
    return known[name]


def _wanted(spec: FineTuneJobSpec, names: set[str]) -> list[Reference]:
    """What model and rows refer to: neither store nor output is needed."""
    found = list(within(spec.input_model, "spec.inputModel"))
    for index, config in enumerate(spec.data_configs):
        if config.name in names:
            found += within(config, f"spec.dataConfigs[{index}]")
    return found


@contextmanager
def _layout(wanted: list[Reference], mapped: Mapped) -> Iterator[PodLayout]:
    with tempfile.TemporaryDirectory(prefix="finetune-preview-") as scratch:
        root = Path(scratch) / "root"
        pod_root.build(root, wanted, mapped, os.environ)
        yield PodLayout.under(root)


def _data_set(spec: FineTuneJobSpec, name: str, layout: PodLayout) -> DataSet:
    index = [config.name for config in spec.data_configs].index(name)
    config = spec.data_configs[index]
    return DataSet(config, datasets.current(config, layout, f"spec.dataConfigs[{index}]")[1])
