"""How values are kept while training, in bytes."""

from dataclasses import dataclass

FLOAT32 = 4


@dataclass(frozen=True)
class Values:
    size: int
    """Of an activation, and of a weight of the base that is not quantised."""
    mask: int
    """Of a value's dropout mask: torch's CPU code keeps it as the type of the adapter, CUDA's as bool."""

    @property
    def mixed(self) -> bool:
        """Adapters are in float32 and the rest is not: products cast what they read, and keep the cast."""
        return self.size < FLOAT32

    @property
    def fused_for_grouped_heads(self) -> bool:
        """Whether attention has a fused kernel where heads share keys; on a device in float32 PyTorch has none."""
        return self.mixed or self.mask != 1


ON_CPU = Values(size=FLOAT32, mask=FLOAT32)
BFLOAT16_ON_CPU = Values(size=2, mask=FLOAT32)
ON_ACCELERATOR = Values(size=2, mask=1)
FLOAT32_ON_ACCELERATOR = Values(size=FLOAT32, mask=1)


def values_for(*, accelerator: bool, bfloat16: bool) -> Values:
    if accelerator:
        return ON_ACCELERATOR if bfloat16 else FLOAT32_ON_ACCELERATOR
    return BFLOAT16_ON_CPU if bfloat16 else ON_CPU
