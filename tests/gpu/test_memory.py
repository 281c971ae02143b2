"""The estimate of a pass's memory is what the pass then takes on a device."""

import gc

import pytest
import torch

from finetune_runner.memory.estimate import Batch, estimate
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import values_for
from passes import data_set, dora, loftq, loha, lokr, lora, qlora, tune
from random_decoder import make_random_decoder, random_rows

BATCH, LENGTH = 8, 1024
CONFIG = {
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "intermediate_size": 4096,
    "vocab_size": 32000,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
TIED = {"tie_word_embeddings": True}
MODELS = {
    "llama": CONFIG | {"model_type": "llama"},
    "phi3": CONFIG | {"model_type": "phi3", "num_key_value_heads": 16},
    "qwen3": CONFIG | TIED | {"model_type": "qwen3", "head_dim": 128, "vocab_size": 64000},
    "gemma3": CONFIG | TIED | {"model_type": "gemma3_text", "head_dim": 256, "num_attention_heads": 4},
}
STEPS = {"maxSteps": 2, "perDeviceTrainBatchSize": BATCH}
CASES = {
    "llama, lora": ("llama", lora(dropout=0.05, training=STEPS)),
    "llama, lora, no dropout": ("llama", lora(training=STEPS)),
    "llama, lora, checkpointing": ("llama", lora(training=STEPS | {"gradientCheckpointing": True})),
    "llama, lora in float32": ("llama", lora(training=STEPS | {"dtype": "float32"})),
    "llama, qlora": ("llama", qlora(dropout=0.05, doubleQuant=True, training=STEPS)),
    "llama, dora": ("llama", dora(dropout=0.05, training=STEPS)),
    "llama, loftq": ("llama", loftq(training=STEPS)),
    "llama, loha": ("llama", loha(training=STEPS)),
    "llama, lokr": ("llama", lokr(training=STEPS)),
    "phi3, qlora of attention": ("phi3", qlora(targetModules=["qkv_proj", "o_proj"], training=STEPS)),
    "qwen3, lora": ("qwen3", lora(r=64, training=STEPS)),
    "gemma3, lora": ("gemma3", lora(training=STEPS)),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {name: make_random_decoder(config, folder / name) for name, config in MODELS.items()}


@pytest.mark.parametrize("case", CASES)
def test_the_estimate_is_within_15_percent_of_the_measured_peak(case, models, tmp_path, record_property):
    name, config = CASES[case]
    rows = data_set(random_rows([2 * LENGTH] * 16), textTemplate="{text}", maxSeqLen=LENGTH, loss="all")
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    tune(models[name], tmp_path / "adapter", config, train=rows, accelerator=True)

    peak = torch.cuda.max_memory_allocated() - before
    shapes = Shapes.read(MODELS[name])
    values = values_for(accelerator=True, bfloat16=config.training.dtype == "auto")
    told = estimate(shapes, config, Batch(BATCH * LENGTH, BATCH * (LENGTH - 1), longest=LENGTH), values)
    record_property("measured", peak)
    record_property("estimated", repr(told))
    assert told.total == pytest.approx(peak, rel=0.15)


@pytest.fixture
def little_room(request):
    """So many GiB of the device are left."""
    gc.collect()
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    ballast = torch.empty(free - request.param * 2**30, dtype=torch.uint8, device="cuda")
    yield
    del ballast
    torch.cuda.empty_cache()


@pytest.mark.parametrize(
    ("little_room", "asked", "micro_batch"),
    [(6, 8, None), (3, 32, "16")],
    indirect=["little_room"],
    ids=["6 GiB", "3 GiB"],
)
@pytest.mark.usefixtures("little_room")
def test_what_does_not_fit_is_made_to_fit_before_it_begins(models, tmp_path, caplog, asked, micro_batch):
    rows = data_set(random_rows([2 * LENGTH] * 64), textTemplate="{text}", maxSeqLen=LENGTH, loss="all")
    config = lora(training=STEPS | {"perDeviceTrainBatchSize": asked})

    metrics = tune(models["llama"], tmp_path / "a", config, train=rows, accelerator=True).metrics

    assert metrics["checkpointing"] == "on"
    assert metrics.get("microBatch") == micro_batch
    assert "out of accelerator memory" not in caplog.text
