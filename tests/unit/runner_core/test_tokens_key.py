"""The key of tokenised rows: what decides the tokens changes it, and nothing else does."""

import pytest

from api_specs import wire_spec
from finetune_api.plan import plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.cache_keys.tokens_key import tokens_key

CHAIN = [("tune", "gpu", "lora"), ("merge", "cpu", "merge"), ("int4", "cpu", "build"), ("check", "cpu", "evaluate")]


def tokens(rows="rows-digest", model="base-digest", version="5", uid="", preprocess=None, **fields):
    """The key of the tokens of the chain's tuning pass, with fields of its config set."""
    spec = wire_spec(CHAIN)
    spec["passes"][0]["lora"] |= fields
    spec["dataConfigs"][0]["preprocess"] |= preprocess or {}
    valid = FineTuneJobSpec.model_validate(spec)
    digests = {config.name: rows for config in valid.data_configs}
    libraries = {"transformers": version}
    return tokens_key(valid, plan(valid).passes[0], {"input": model}, digests, libraries=libraries, only_job=uid)


def test_passes_that_train_otherwise_on_the_same_rows_share_their_tokens():
    assert tokens(r=8, training={"learningRate": 0.5, "seed": 7}) == tokens()


@pytest.mark.parametrize(
    "differently",
    [
        {"rows": "other"},
        {"model": "other"},
        {"version": "6"},
        {"uid": "uid"},
        {"preprocess": {"maxSeqLen": 9}},
        {"evalFraction": 0.1},
    ],
    ids=str,
)
def test_other_rows_tokenizers_or_ways_to_cut_have_tokens_of_their_own(differently):
    assert tokens(**differently) != tokens()


def test_the_seed_of_a_split_counts():
    assert tokens(evalFraction=0.1, training={"seed": 7}) != tokens(evalFraction=0.1)
