"""Linear layers in 4 bits, as bitsandbytes has them."""

from bitsandbytes.nn import Linear4bit
from torch import nn


def compute_alike_everywhere(model: nn.Module) -> None:
    """Has a model's 4-bit layers compute in one way, whether they are trained or evaluated and whatever the CPU.

    On a CPU that multiplies bfloat16, Linear4bit.forward of bitsandbytes 0.50 packs the weights for an inference kernel
    when they are first evaluated, and leaves them so: what comes out is rounded to bfloat16, and training that goes on
    afterwards gets no gradient through the layer.
    """
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False
