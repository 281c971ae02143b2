"""What a pass takes is told from config.json; what can't fit is refused before an accelerator is asked for."""

import pytest

from api_specs import wire_spec
from decoder_shapes import SHAPES
from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec
from finetune_api.resource.passes import Lora, QLora
from finetune_runner.memory.adapters import factorization
from finetune_runner.memory.batches import largest_of
from finetune_runner.memory.choice import MARGIN, chosen
from finetune_runner.memory.estimate import Batch, estimate
from finetune_runner.memory.fit import check, estimates
from finetune_runner.memory.host import available
from finetune_runner.memory.shapes import Shapes
from finetune_runner.memory.values import FLOAT32_ON_ACCELERATOR, ON_ACCELERATOR, ON_CPU

PHI3_MINI = SHAPES["phi3-mini"]
LLAMA_1B = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
}
NOTHING = Batch(0, 0)


def shapes(config):
    read = Shapes.read(config)
    assert read is not None
    return read


@pytest.mark.parametrize(("config", "parameters"), [(PHI3_MINI, 3_821_079_552), (LLAMA_1B, 1_235_814_400)])
def test_the_weights_are_those_of_the_published_models(config, parameters):
    told = shapes(config).linear_weights + shapes(config).embedding_weights
    assert told == pytest.approx(parameters, rel=1e-3)  # norms have few


def test_a_model_of_several_modalities_is_read_by_its_text():
    assert Shapes.read({"model_type": "gemma3", "text_config": LLAMA_1B}) == shapes(LLAMA_1B)


NOT_KNOWN = [
    {"model_type": "mamba"},
    {},
    {"model_type": "llama", "hidden_size": 8},
    {"text_config": None},
    {"text_config": {"model_type": ["llama"]}},
    LLAMA_1B | {"num_attention_heads": 0},
    LLAMA_1B | {"num_hidden_layers": None},
    LLAMA_1B | {"num_hidden_layers": 0},
    LLAMA_1B | {"num_hidden_layers": 10**12},
    LLAMA_1B | {"vocab_size": "many"},
]


@pytest.mark.parametrize("config", NOT_KNOWN)
def test_nothing_is_told_of_what_is_not_known(config):
    assert Shapes.read(config) is None


def test_an_adapter_costs_its_rank_with_gradient_and_two_moments():
    config = Lora.model_validate({"trainData": "x", "r": 8, "targetModules": ["o_proj"]})
    told = estimate(shapes(PHI3_MINI), config, NOTHING, ON_ACCELERATOR)
    assert told.adapter == 32 * 8 * (3072 + 3072) * 16


@pytest.mark.parametrize(
    ("names", "values"),
    [
        (["down_proj"], 16 * 8192 * 2048),
        (["layers.3.mlp.down_proj", "model.layers.4.mlp.down_proj"], 2 * 8192 * 2048),
        (["mlp", "up_proj"], 16 * 3 * 8192 * 2048),
        (["layers.3"], 3 * 8192 * 2048 + 2048 * (2 * 2048 + 2 * 512) + 2 * 2048),
        (["input_layernorm"], 16 * 2048),
        (["norm"], 2048),
        (["model.language_model.norm"], 2048),
        (["lm_head", "embed_tokens"], 2 * 128256 * 2048),
        (["vision_tower", "proj"], 0),
    ],
)
def test_what_is_trained_in_full_costs_all_of_its_values_with_gradient_and_moments_and_has_no_adapter(names, values):
    def told(**config):
        config = Lora.model_validate({"trainData": "x", "r": 8, "targetModules": ["o_proj"], **config})
        return estimate(shapes(LLAMA_1B), config, NOTHING, ON_ACCELERATOR).adapter

    blocks = 15 if names == ["layers.3"] else 16
    assert told(modulesToSave=names) == (values + blocks * 8 * (2048 + 2048)) * 16


def test_a_head_that_is_trained_in_full_is_cast_for_each_forward_pass_where_types_are_mixed():
    def told(values, **config):
        config = Lora.model_validate({"trainData": "x", **config})
        return estimate(shapes(LLAMA_1B), config, NOTHING, values).logits

    assert told(ON_ACCELERATOR, modulesToSave=["lm_head"]) - told(ON_ACCELERATOR) == 2 * 2 * 128256 * 2048
    assert told(ON_CPU, modulesToSave=["lm_head"]) == told(ON_CPU)


@pytest.mark.parametrize(("double", "bytes_each"), [(False, 0.5 + 4 / 64), (True, 0.5 + (1 + 4 / 256) / 64)])
def test_a_quantised_base_takes_half_a_byte_a_weight_and_its_constants(double, bytes_each):
    config = QLora.model_validate({"trainData": "x", "doubleQuant": double})
    model = shapes(PHI3_MINI)
    told = estimate(model, config, NOTHING, ON_ACCELERATOR).weights
    assert told == pytest.approx(model.linear_weights * bytes_each + model.embedding_weights * 2)


def job(kind, *, rows=1, preprocess=None, **system):
    step = {"name": "tune", kind: {"trainData": "tones", "training": {"perDeviceTrainBatchSize": rows}}}
    spec = wire_spec(systems=[{"name": "gpu"} | system]) | {"passes": [step]}
    spec["dataConfigs"][0]["preprocess"] |= preprocess or {}
    return FineTuneJobSpec.model_validate(spec)


TOO_SMALL = {"accelerator": {"memory": "4Gi"}}
BY_LABEL = {"accelerator": {}, "nodeSelector": {"nvidia.com/gpu.memory": "4096"}}


def checked(spec):
    [told] = estimates(spec, shapes(PHI3_MINI)).values()
    check(spec, 0, least=told.fixed, most=told.total)


@pytest.mark.parametrize("system", [TOO_SMALL, BY_LABEL])
def test_weights_that_do_not_fit_are_refused(system):
    with pytest.raises(FineTuneError, match="weights and adapter alone take 8") as caught:
        checked(job("lora", **system))
    assert (caught.value.reason, caught.value.path) == (Reason.OUT_OF_ACCELERATOR_MEMORY, "spec.passes[0].lora")
    assert "qlora" in caught.value.remedy


@pytest.mark.parametrize(("kind", "system"), [("qlora", TOO_SMALL), ("lora", {"accelerator": {}}), ("lora", {})])
def test_what_may_fit_or_is_not_known_runs(kind, system):
    checked(job(kind, **system))


@pytest.mark.parametrize("kind", ["lora", "qlora", "dora", "loftq", "loha", "lokr"])
def test_something_is_told_of_every_tuning_pass(kind):
    assert estimates(job(kind), shapes(PHI3_MINI))["tune"].total > 2**30


@pytest.mark.parametrize(
    ("dimension", "factor", "expected"),
    [(256, -1, (16, 16)), (128, -1, (8, 16)), (127, -1, (1, 127)), (128, 4, (4, 32)), (640, -1, (20, 32))],
)
def test_a_kronecker_products_factors_are_those_that_peft_takes(dimension, factor, expected):
    assert factorization(dimension, factor) == expected  # the first four are its docstring's


def test_the_largest_batch_is_padded_to_the_longest_and_counts_what_counts_most():
    assert largest_of([10, 30, 20], [1, 5, 7], 4)(2) == Batch(tokens=60, counted=12, masked=3 * 2 * 900, longest=30)
    assert largest_of([8, 8], [2, 2], 4)(4) == Batch(tokens=16, counted=4, longest=8)
    assert largest_of([10, 30], [1, 5], 4, least=64)(1).tokens == 64


def activations(values, **batch):
    """Bytes that 2 sequences of 64 tokens keep."""
    config = Lora.model_validate({"trainData": "x", "dropout": 0})
    return estimate(shapes(LLAMA_1B), config, Batch(128, 8, longest=64, **batch), values).activations


def test_attention_in_float32_on_a_device_keeps_its_weights_where_heads_share_keys_and_nothing_is_masked():
    fused = activations(FLOAT32_ON_ACCELERATOR, masked=1) - 1

    weights = 16 * 2 * 32 * 64 * 64 * 4  # blocks, sequences, heads, tokens by tokens, bytes
    assert activations(FLOAT32_ON_ACCELERATOR) - fused == weights
    assert activations(ON_CPU) < fused


@pytest.mark.parametrize("system", [{}, {"accelerator": {}}], ids=["cpu", "accelerator"])
@pytest.mark.parametrize(("rows", "preprocess"), [(4, {}), (1, {"strategy": "packing"})], ids=["padded", "packed"])
def test_what_prepare_tells_is_no_less_than_what_rows_of_unlike_length_and_packed_ones_take(rows, preprocess, system):
    spec = job("lora", rows=rows, preprocess=preprocess | {"maxSeqLen": 512}, **system)
    largest = largest_of([8, 512, 512, 512], [8, 512, 512, 512], rows, packed=rows == 1)(rows)

    config, values = spec.passes[0].config, ON_ACCELERATOR if system else ON_CPU
    assert largest.masked
    told = estimates(spec, shapes(LLAMA_1B))["tune"]
    assert told.activations >= estimate(shapes(LLAMA_1B), config, largest, values).activations


@pytest.mark.parametrize(
    ("model", "attention", "bytes_each"),
    [("llama", "auto", 0), ("llama", "eager", 6), ("gemma2", "auto", 8), ("gemma2", "flash_attention_2", 0)],
)
def test_attention_without_a_fused_kernel_keeps_its_weights(model, attention, bytes_each):
    """In bfloat16: of softmax 4 bytes and their cast 2, of the cap's tanh 2."""
    config = Lora.model_validate({"trainData": "x", "training": {"attnImplementation": attention}})
    read = shapes(LLAMA_1B | {"model_type": model})

    def kept(length):
        return estimate(read, config, Batch(2048, 8, longest=length), ON_ACCELERATOR).activations

    assert kept(1024) - kept(512) == 16 * 32 * 2048 * 512 * bytes_each


def way(room, **training):
    """Checkpointing, sequences at once, and whether that fits."""
    config = Lora.model_validate(
        {"trainData": "x", "dropout": 0, "training": {"perDeviceTrainBatchSize": 8, **training}}
    )
    found = chosen(shapes(LLAMA_1B), config, lambda size: Batch(size * 1024, size * 64), ON_ACCELERATOR, room)
    return found.checkpointing, found.micro_batch, found.fits


def room_for(size, *, checkpointing):
    """Bytes that just do."""
    config = Lora.model_validate({"trainData": "x", "dropout": 0})
    batch = Batch(size * 1024, size * 64)
    return estimate(shapes(LLAMA_1B), config, batch, ON_ACCELERATOR, checkpointing=checkpointing).total / MARGIN + 1


def test_checkpointing_comes_where_it_does_not_fit_without_and_then_smaller_micro_batches():
    assert way(None) == (False, 8, True)
    assert way(room_for(8, checkpointing=False)) == (False, 8, True)
    assert way(room_for(8, checkpointing=False) - 2) == (True, 8, True)
    assert way(room_for(8, checkpointing=True) - 2) == (True, 4, True)
    assert way(room_for(1, checkpointing=True) - 2) == (True, 1, False)


def test_checkpointing_that_is_said_is_obeyed():
    assert way(None, gradientCheckpointing=True) == (True, 8, True)
    assert way(room_for(4, checkpointing=False), gradientCheckpointing=False) == (False, 4, True)


def host(root, **files):
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


NODE = {"proc__meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n"}
LIMIT = {
    "sys__fs__cgroup__memory_dot_max": "4096000\n",
    "sys__fs__cgroup__memory_dot_current": "3000000\n",
    "sys__fs__cgroup__memory_dot_stat": "anon 1\ninactive_file 1000000\n",
}


def test_memory_that_is_left_is_the_nodes_or_the_containers(tmp_path):
    assert available(host(tmp_path / "a", **NODE)) == 8000 * 1024
    assert available(host(tmp_path / "b", **NODE, **LIMIT)) == 4096000 - 3000000 + 1000000
    unlimited = LIMIT | {"sys__fs__cgroup__memory_dot_max": "max\n"}
    assert available(host(tmp_path / "c", **NODE, **unlimited)) == 8000 * 1024
    assert available(tmp_path / "nothing") is None
