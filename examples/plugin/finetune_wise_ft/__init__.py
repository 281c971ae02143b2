"""The plugin wise-ft: an adapter is merged at a strength, between its base and what it was tuned to."""

from collections.abc import Mapping

from pydantic import Field

from finetune_api.plugin import PluginConfig, PluginInputs, PluginPass, Product


class WiseFtConfig(PluginConfig):
    """What a manifest can say in plugin.config."""

    alpha: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Mixing coefficient: 0 is the base, 1 what mergeAdapterWeights makes.",
    )


class WiseFt(PluginPass[WiseFtConfig]):
    """Merges an adapter, and interpolates the weights with their base (WiSE-FT, arXiv:2109.01903)."""

    config = WiseFtConfig
    accepts = frozenset({Product.ADAPTER})
    produces = Product.MODEL
    libraries = ("torch", "transformers", "peft")

    def run(self, config: WiseFtConfig, inputs: PluginInputs) -> Mapping[str, float]:
        from finetune_wise_ft.interpolation import interpolate  # noqa: PLC0415  brings torch

        return {"relativeChange": interpolate(inputs, config.alpha)}
