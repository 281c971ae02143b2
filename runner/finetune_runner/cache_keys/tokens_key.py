"""The key of a tuning pass's tokenised rows: what decides them, and nothing else. Pure."""

from collections.abc import Mapping

from finetune_api.cache_key import digest_of
from finetune_api.messages import CACHE_KEY_CHARS
from finetune_api.plan import PlannedPass
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Tuning
from finetune_runner.cache_keys.data_roles import data_configs, data_names
from finetune_runner.store.token_cache import KIND, VERSION


def tokens_key(
    spec: FineTuneJobSpec,
    step: PlannedPass,
    inputs: Mapping[str, str],
    data: Mapping[str, str],
    *,
    libraries: Mapping[str, str],
    only_job: str,
) -> str:
    """32 hex digits. Passes that train differently on the same rows share them.

    Args:
        spec: a valid spec.
        step: the pass.
        inputs: role to digest of what the pass works on, the tokenizer among it.
        data: name of each data config to the digest of its rows.
        libraries: name to version of those that tokenise.
        only_job: as of cache_key.pass_key.
    """
    config = step.spec.config
    assert isinstance(config, Tuning)  # noqa: S101  the caller's choice
    splits = bool(config.eval_rows or config.eval_fraction)
    document = {
        "kind": KIND,
        "version": VERSION,
        "inputs": inputs,
        "rows": {role: data[name] for role, name in data_names(spec, step.spec).items()},
        "preprocess": {role: found.preprocess.to_wire() for role, found in data_configs(spec, step.spec).items()},
        "split": [config.eval_rows, config.eval_fraction, config.training.seed] if splits else [],
        "newTokens": config.to_wire().get("newTokens", []),
        "libraries": libraries,
        "onlyJob": only_job,
    }
    return digest_of(document)[:CACHE_KEY_CHARS]
