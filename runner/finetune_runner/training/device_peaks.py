"""What devices can compute at most, by the names that their driver gives them. Pure.

Dense matrix products in bfloat16 with float32 sums, as NVIDIA's data sheets have them; where these tell the figure with
sparsity, it is halved. V100 and T4 have no bfloat16: float16.
"""

import re

TERA = 10**12

PEAKS: tuple[tuple[str, float], ...] = (
    ("B200", 2250),  # NVIDIA DGX B200 data sheet
    ("GH200", 989.5),  # NVIDIA GH200 Grace Hopper Superchip data sheet
    ("H200 NVL", 835.5),  # NVIDIA H200 Tensor Core GPU data sheet
    ("H200", 989.5),
    ("H100 PCIe", 756.5),  # NVIDIA H100 Tensor Core GPU data sheet
    ("H100 NVL", 835.5),
    ("H100", 989.5),
    ("A100", 312),  # NVIDIA A100 Tensor Core GPU data sheet
    ("A30", 165),  # NVIDIA A30 Tensor Core GPU data sheet
    ("A40", 149.7),  # NVIDIA A40 data sheet
    ("A10", 125),  # NVIDIA A10 Tensor Core GPU data sheet
    ("L40S", 362),  # NVIDIA L40S data sheet
    ("L40", 181),  # NVIDIA L40 data sheet
    ("L4", 121),  # NVIDIA L4 Tensor Core GPU data sheet
    ("V100 PCIE", 112),  # NVIDIA V100 Tensor Core GPU data sheet
    ("V100 SXM2", 125),
    ("T4", 65),  # NVIDIA T4 Tensor Core GPU data sheet
    ("RTX 4090", 165.2),  # NVIDIA Ada GPU Architecture white paper, appendix A
    ("RTX 3090", 71),  # NVIDIA Ampere GA102 GPU Architecture white paper, appendix A
)
"""Words of a device's name to 10¹² operations a second; the first whose words all stand in it counts."""
OTHER_CHIPS = frozenset({"mig", "grid", "laptop", "d", "ti", "max"})
"""Words of those that share a name and have less, or only a share of it."""


def peak_flops(name: str) -> float | None:
    """Operations a second of a device.

    Args:
        name: as torch.cuda.get_device_name tells it, such as NVIDIA H100 80GB HBM3.

    Returns:
        None where it is not known.
    """
    words = set(re.split(r"[\s-]+", name.lower()))
    if words & OTHER_CHIPS:
        return None
    return next((peak * TERA for wanted, peak in PEAKS if words.issuperset(wanted.lower().split())), None)
