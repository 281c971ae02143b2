"""mergeAdapterWeights: an adapter and its base become a model without adapter.

The output: config.json, the weights in files as the base has them, the tokenizer, generation_config.json, prompt.json.
"""

import logging

from finetune_api.resource.passes import DEQUANTISED, MergeAdapterWeights
from finetune_runner.data.prompt_file import carry_prompt
from finetune_runner.passes.contract import PassInputs, PassResult, Report
from finetune_runner.passes.merging.as_seen import read_as_seen
from finetune_runner.passes.merging.by_shard import merge_by_shard
from finetune_runner.passes.merging.unfit import UnfitError
from finetune_runner.passes.merging.whole import merge_whole
from finetune_runner.passes.model_files import carry_notices, carry_tokenizer

log = logging.getLogger(__name__)


def run(config: MergeAdapterWeights, inputs: PassInputs, report: Report) -> PassResult:
    """Merges the adapter in `inputs.source` into the model in `inputs.base`, on the CPU.

    Raises:
        FineTuneError: InvalidSpec, ModelUnsupported or ArtifactCorrupt.
        ValueError: there is no base, or the merged weights are not finite.
    """
    if inputs.base is None:
        msg = "an adapter without its base cannot be merged"
        raise ValueError(msg)
    as_seen = read_as_seen(inputs.source, inputs.path) if config.merge_base == DEQUANTISED else None
    try:
        merge_by_shard(inputs.base, inputs.source, inputs.output, report, as_seen)
    except UnfitError as reason:
        log.info("the whole model is merged in memory: %s", reason)
        trusted = inputs.trust_remote_code
        merge_whole(inputs.base, inputs.source, inputs.output, report, as_seen, trust_remote_code=trusted)
    carry_tokenizer(inputs.source, inputs.output)
    carry_notices(inputs.source, inputs.output)
    carry_prompt(inputs.source, inputs.output)
    return PassResult()
