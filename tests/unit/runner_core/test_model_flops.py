"""Operations of a model's training by its definition, and what devices can do: by hand."""

import pytest

from finetune_runner.training.device_peaks import peak_flops
from finetune_runner.training.model_flops import Attention, Decoder, Tokens, training_flops

TRAINED_IN_FULL = Decoder(
    frozen=0, trained=1_000_000, head=50_000, head_is_trained=True, attention=(Attention(4, 128, None),)
)


def test_a_model_trained_in_full_takes_six_operations_a_weight_and_token_and_palms_attention():
    """PaLM's 6·N + 12·L·H·Q·T a token: 6·1,050,000 + 12·4·128·10 = 6,361,440; for 10 tokens ten times that."""
    tokens = Tokens(all=10, counted=10, pairs={None: 100})
    assert training_flops(TRAINED_IN_FULL, tokens) == 63_614_400


def test_frozen_weights_take_four_and_the_adapter_six():
    """10 tokens: 4·1,000,000 + 6·2,000 a token = 40,120,000; the head for 3 of them: 3·4·50,000 = 600,000."""
    adapted = Decoder(frozen=1_000_000, trained=2_000, head=50_000, head_is_trained=False, attention=())
    tokens = Tokens(all=10, counted=3, pairs={})
    assert training_flops(adapted, tokens) == 40_720_000


def test_layers_with_a_window_count_the_pairs_within_it():
    """12·(2·64·100 + 5·64·60) = 12·(12,800 + 19,200) = 384,000."""
    kinds = (Attention(2, 64, None), Attention(5, 64, 8))
    windowed = Decoder(frozen=0, trained=0, head=0, head_is_trained=False, attention=kinds)
    assert training_flops(windowed, Tokens(all=10, counted=0, pairs={None: 100, 8: 60})) == 384_000


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756.5),
        ("NVIDIA H100 NVL", 835.5),
        ("NVIDIA H200", 989.5),
        ("NVIDIA H200 NVL", 835.5),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA A10", 125),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", 362),
        ("Tesla T4", 65),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla V100-PCIE-32GB", 112),
        ("NVIDIA GeForce RTX 4090", 165.2),
    ],
)
def test_a_devices_peak_is_found_by_its_name(name, tera):
    assert peak_flops(name) == pytest.approx(tera * 1e12)


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "NVIDIA A10G",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "GRID T4-8Q",
        "AMD Instinct MI300X",
        "",
    ],
)
def test_a_part_of_a_device_or_an_unknown_one_has_none(name):
    assert peak_flops(name) is None
