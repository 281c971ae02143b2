"""mergeAdapterWeights: an adapter and its base become a model without adapter.

The output: config.json, the weights in files as the base has them, the tokenizer, generation_config.json, prompt.json.
"""

import logging
from functools import partial
from pathlib import Path

from finetune_api.resource.passes import DEQUANTISED, MergeAdapterWeights
from finetune_runner.data.prompt_file import carry_prompt
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.merging.as_seen import AsSeen, read_as_seen
from finetune_runner.passes.merging.by_shard import merge_by_shard
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.merging.whole import merge_whole
from finetune_runner.passes.model_files import carry_generation_config, carry_notices, carry_tokenizer

log = logging.getLogger(__name__)


def run(config: MergeAdapterWeights, inputs: PassInputs, report: Report) -> PassResult:
    """Merges the adapter in `inputs.source` into the model in `inputs.base`, on the CPU.

    Raises:
        FineTuneError: InvalidSpec, ModelUnsupported, ArtifactCorrupt, or where the base is to be chosen DatasetInvalid.
        ValueError: there is no base, or the merged weights are not finite.
    """
    if inputs.base is None:
        msg = "an adapter without its base cannot be merged"
        raise ValueError(msg)
    merge = partial(_merge, inputs.base, inputs.source, trust_remote_code=inputs.trust_remote_code)
    figures = {}
    if inputs.tuned and inputs.export:
        from finetune_runner.passes.merging.choice import merge_the_better_way  # noqa: PLC0415  brings all of training

        as_seen = read_as_seen(inputs.source, inputs.path)
        figures = merge_the_better_way(merge, inputs, as_seen, report, tuned=inputs.tuned, export=inputs.export)
    else:
        dequantised = config.merge_base == DEQUANTISED
        merge(inputs.output, read_as_seen(inputs.source, inputs.path) if dequantised else None, report)
    carry_tokenizer(inputs.source, inputs.output)
    carry_generation_config(inputs.source, inputs.output)
    carry_notices(inputs.source, inputs.output)
    carry_prompt(inputs.source, inputs.output)
    return PassResult(figures)


def _merge(
    base: Path, adapter: Path, output: Path, as_seen: AsSeen | None, report: Report, *, trust_remote_code: bool
) -> None:
    try:
        merge_by_shard(base, adapter, output, report, as_seen)
    except UnfitError as reason:
        log.info("the whole model is merged in memory: %s", reason)
        merge_whole(base, adapter, output, report, as_seen, trust_remote_code=trust_remote_code)
