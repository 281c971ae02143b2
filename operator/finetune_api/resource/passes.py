"""spec.passes: the steps of the chain, each a directory made from another."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from finetune_api.resource.base import Model, Name, OneOf, empty_list
from finetune_api.resource.exports import ExtractAdapters, ModelBuilder
from finetune_api.resource.plugin import Plugin
from finetune_api.resource.training import Training

ModuleName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
LayerPattern = Annotated[str, StringConstraints(min_length=1, max_length=256)]
LayerIndex = Annotated[int, Field(ge=0, le=4095)]
NewToken = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", min_length=1, max_length=128)]
Rank = Annotated[int, Field(ge=1, le=1024)]
ORIGINAL, DEQUANTISED, AUTO = "original", "dequantised", "auto"
"""Of mergeBase."""
Alpha = Annotated[int, Field(ge=1, le=8192)]


class Tuning(Model):
    """What all tuning passes say: which layers get an adapter, from which rows, and how it is trained."""

    r: int = Field(default=64, ge=1, le=1024, description="Rank of the adapter.")
    alpha: int = Field(default=16, ge=1, le=8192, description="Scaling: the adapter's output counts alpha / r.")
    target_modules: list[ModuleName] = Field(
        default_factory=empty_list,
        max_length=64,
        description="Linear layers that get an adapter, by the end of their name (q_proj, o_proj). Empty: all linear layers"
        " but the output head.",
    )
    modules_to_save: list[ModuleName] = Field(
        default_factory=empty_list,
        max_length=16,
        description="Modules trained in full and saved beside the adapter.",
    )
    train_data: Name = Field(description="Data config with the training rows.")
    eval_data: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="Data config with held-out rows: the loss on them is measured after training, with training.evalStrategy also"
        " during it.",
    )
    eval_fraction: float = Field(
        default=0,
        ge=0,
        lt=1,
        description="Instead of evalData: share of the training rows that is held out; duplicates are removed before.",
    )
    eval_rows: int = Field(default=0, ge=0, le=2147483647, description="The same, as a number of rows.")
    training: Training = Field(default_factory=Training, description="How the adapter is trained.")


class Lora(Tuning):
    """LoRA: low-rank adapters beside the frozen linear layers (Hu et al. 2021, arXiv:2106.09685)."""

    dropout: float = Field(default=0.05, ge=0, lt=1, description="Dropout on the adapter's input.")
    new_tokens: list[NewToken] = Field(
        default_factory=empty_list,
        max_length=256,
        description="Tokens that the tokenizer gets and never splits. Their rows of the embedding and the output head start from"
        " the mean of the others', are trained in full, and go with the adapter and into what it is merged into.",
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    use_rslora: bool = Field(
        default=False,
        description="Rank-stabilised scaling: the adapter's output counts alpha / √r (arXiv:2312.03732).",
    )
    lora_plus_ratio: float = Field(
        default=1,
        ge=1,
        le=1024,
        description="LoRA+: learning rate of factor B over that of A (arXiv:2402.12354); 1: the same, as in LoRA.",
    )


class Dora(Lora):
    """DoRA: LoRA for the direction of each weight, and a trained magnitude (Liu et al. 2024, arXiv:2402.09353)."""


class QLora(Lora):
    """QLoRA: LoRA beside 4-bit base weights (Dettmers et al. 2023, arXiv:2305.14314)."""

    quant_type: Literal["nf4", "fp4"] = Field(default="nf4", description="4-bit data type of the frozen weights.")
    double_quant: bool = Field(default=False, description="Quantise the quantisation constants too.")


class LoftQ(Lora):
    """LoftQ: QLoRA whose adapter starts from what the 4-bit weights (nf4) miss (Li et al. 2023, arXiv:2310.08659).

    The saved adapter holds what training changed, at rank 2r, so that it belongs to the full-precision base as every
    other adapter does.
    """

    loftq_iter: int = Field(
        default=1, ge=1, le=64, description="Rounds of quantising the weights and fitting the adapter to the rest."
    )


class Lycoris(Tuning):
    """What LoHa and LoKr say beyond all tuning passes; names and defaults as in peft and Olive."""

    rank_dropout: float = Field(default=0, ge=0, lt=1, description="Share of output rows dropped while training.")
    module_dropout: float = Field(
        default=0, ge=0, lt=1, description="Probability that a layer's adapter is left out of a training step."
    )
    exclude_modules: list[ModuleName] = Field(
        default_factory=empty_list, max_length=64, description="Linear layers that get none, by the end of their name."
    )
    init_weights: bool = Field(default=True, description="Start from no change; false: from random weights.")
    layers_to_transform: list[LayerIndex] = Field(
        default_factory=empty_list, max_length=256, description="Indices of the blocks that get adapters. Empty: all."
    )
    layers_pattern: Annotated[str, StringConstraints(max_length=256)] = Field(
        default="",
        description="What the list of blocks is called (layers, h), with layersToTransform. Empty: as in known models.",
    )
    rank_pattern: Annotated[dict[LayerPattern, Rank], Field(max_length=64)] = Field(
        default_factory=dict, description="Layer's name (its end, or a regular expression) to its own rank."
    )
    alpha_pattern: Annotated[dict[LayerPattern, Alpha], Field(max_length=64)] = Field(
        default_factory=dict, description="Layer's name (its end, or a regular expression) to its own alpha."
    )


class LoHa(Lycoris):
    """LoHa: the change of a weight is the Hadamard product of two low-rank ones (arXiv:2108.06098)."""


class LoKr(Lycoris):
    """LoKr: the change of a weight is a Kronecker product, of which one factor is low-rank (arXiv:2212.10650)."""

    decompose_both: bool = Field(default=False, description="Make both factors low-rank.")
    decompose_factor: int = Field(
        default=-1, ge=-1, le=65536, description="Largest size of the smaller factor; -1: as near to square as can be."
    )
    rank_dropout_scale: bool = Field(default=False, description="Scale up what rankDropout leaves.")


class MergeAdapterWeights(Model):
    """Adds the adapter's change to its base; the output is a model without adapter, in the base's own type."""

    merge_base: Literal["original", "dequantised", "auto"] = Field(
        default="original",
        description="What a qlora adapter is added to: the input model as it is; as the adapter saw it while it was trained,"
        " rounded to 4 bits and back; or (auto) the latter, unless the former has clearly the lower loss on the held-out rows"
        " once it is rounded.",
    )


class Evaluate(Model):
    """Figures of a model; the output is no model."""

    evaluator: Name = Field(description="Evaluator with the metrics.")
    data: Name = Field(description="Data config with the rows.")
    compared_to: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="For metrics that compare with another model (kl): the pass that makes it, or base for the input model.",
    )
    adapter: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="Of an export with furtherAdapters: the pass whose adapter is measured. Empty: that of the export's input.",
    )


class Pass(OneOf):
    """One step of the chain."""

    variants: ClassVar[tuple[str, ...]] = (
        "lora",
        "qlora",
        "dora",
        "loftq",
        "loha",
        "lokr",
        "merge_adapter_weights",
        "model_builder",
        "extract_adapters",
        "evaluate",
        "plugin",
    )

    name: Name = Field(description="Name of the pass; other passes refer to it by `input`.")
    system: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="System it runs on; empty: engine.host, or the only system.",
    )
    input: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="",
        description="Pass whose output it works on, or base for the input model; empty: the previous pass that makes a model.",
    )
    active_deadline_seconds: int | None = Field(
        default=None,
        ge=1,
        le=31536000,
        description="Longest time that a try of the pass may take, from its beginning in a pod until its output is committed; then"
        " the job fails. A tuning pass keeps a checkpoint. Waiting for a pod does not count, and a retry's time begins anew.",
    )
    lora: Lora | None = Field(default=None, description="Tune a LoRA adapter.")
    qlora: QLora | None = Field(default=None, description="Tune a LoRA adapter beside a 4-bit base.")
    dora: Dora | None = Field(default=None, description="Tune a DoRA adapter.")
    loftq: LoftQ | None = Field(
        default=None, description="Tune a LoRA adapter beside a 4-bit base, started from what 4 bits miss."
    )
    loha: LoHa | None = Field(default=None, description="Tune a LoHa adapter.")
    lokr: LoKr | None = Field(default=None, description="Tune a LoKr adapter.")
    merge_adapter_weights: MergeAdapterWeights | None = Field(
        default=None, description="Merge an adapter into its base."
    )
    model_builder: ModelBuilder | None = Field(default=None, description="Export to ONNX, int4 by default.")
    extract_adapters: ExtractAdapters | None = Field(
        default=None, description="Export the base to ONNX with its LoRA adapters as files beside it."
    )
    evaluate: Evaluate | None = Field(default=None, description="Measure a model.")
    plugin: Plugin | None = Field(default=None, description="Run a pass of a third party's package.")

    @property
    def config(self) -> Tuning | MergeAdapterWeights | ModelBuilder | ExtractAdapters | Evaluate | Plugin:
        """The member that is set."""
        return getattr(self, self.variant)  # type: ignore[no-any-return]
