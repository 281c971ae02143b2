"""What is said about a wrong spec: where, what, and what to do."""

from typing import Any

import pytest

from api_specs import wire_pass, wire_spec
from finetune_api.plan import TUNING
from finetune_api.validate import parse, template_columns


def findings(spec: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in parse(spec)[1]]


def test_a_right_spec_has_no_problem():
    assert findings(wire_spec()) == []


def test_a_misspelt_field_is_named_with_its_path():
    spec = wire_spec()
    spec["passes"][0]["lora"]["rank"] = 8

    assert any("spec.passes[0].lora.rank: unknown field" in text for text in findings(spec))
    assert any("kubectl explain finetunejob.spec.passes.lora)" in text for text in findings(spec))


def test_two_sources_at_once_are_refused_by_name():
    spec = wire_spec(inputModel={"source": {"s3": {"uri": "s3://models/x"}, "volume": {"claimName": "models"}}})

    [text] = findings(spec)
    assert text.startswith("spec.inputModel.source: set exactly one of huggingFace, s3, volume")
    assert "found s3, volume" in text


@pytest.mark.parametrize("path", ["..", "../other", "rows/../../secrets/s3/key"])
def test_a_path_that_leads_out_of_its_volume_is_refused(path):
    spec = wire_spec(store={"volume": {"claimName": "store", "path": path}})
    assert findings(spec) == ["spec.store.volume.path: path must not lead out of the volume: leave out .."]


def test_two_dots_in_a_name_are_no_way_out():
    assert findings(wire_spec(store={"volume": {"claimName": "store", "path": "a..b/...c"}})) == []


def test_two_passes_in_one_are_named_as_the_manifest_writes_them():
    spec = wire_spec(passes=[("tune", "gpu", "lora")])
    spec["passes"][0]["mergeAdapterWeights"] = {}

    assert findings(spec)[0].endswith("found lora, mergeAdapterWeights")


def test_an_unknown_data_config_is_refused_with_the_known_ones():
    spec = wire_spec()
    spec["passes"][0]["lora"]["trainData"] = "tonez"

    assert findings(spec) == ["spec.passes[0].lora.trainData: no data config is named 'tonez' (use one of: tones)"]


@pytest.mark.parametrize(
    ("bend", "path"),
    [
        (lambda s: s["passes"][0].update(system="gpuu"), "spec.passes[0].system"),
        (lambda s: s.update(engine={"host": "gpuu"}), "spec.engine.host"),
        (lambda s: s.update(prepare={"system": "gpuu"}), "spec.prepare.system"),
    ],
)
def test_an_unknown_system_is_refused_where_it_is_named(bend, path):
    spec = wire_spec()
    bend(spec)

    assert findings(spec) == [f"{path}: no system is named 'gpuu' (use one of: gpu, cpu)"]


def test_several_systems_and_none_chosen_is_refused():
    spec = wire_spec(passes=[("tune", "", "lora")])

    assert findings(spec) == [
        "spec.passes[0].system: not set, and there are several systems (set it, or spec.engine.host)"
    ]


def test_merging_without_an_adapter_is_refused():
    spec = wire_spec(passes=[("merge", "cpu", "merge")])

    assert findings(spec) == [
        "spec.passes[0]: mergeAdapterWeights works on an adapter, but 'base' makes a model"
        " (put a tuning pass (lora, qlora…) before it, or name one by input)"
    ]


def test_exporting_an_adapter_is_refused():
    spec = wire_spec(passes=[("tune", "cpu", "lora"), ("int4", "cpu", "build")])

    assert findings(spec) == [
        "spec.passes[1]: modelBuilder works on a model, but 'tune' makes an adapter"
        " (put a mergeAdapterWeights pass before it, use extractAdapters instead, or name a model by input)"
    ]


def test_tuning_an_export_is_refused_without_sending_it_to_a_merge():
    spec = wire_spec(passes=[("int4", "cpu", "build"), ("tune", "gpu", "lora")])

    assert findings(spec) == [
        "spec.passes[1]: lora works on a model, but 'int4' makes an ONNX model"
        " (name a pass that makes a model by input)"
    ]


@pytest.mark.parametrize(("asked", "limit"), [("6Gi", "1Gi"), ("1Ti", "999G"), ("1500m", "1"), ("1.5", "1")])
def test_asking_for_more_than_the_limit_is_refused(asked, limit):
    spec = wire_spec()
    spec["systems"][0]["resources"] = {"requests": {"memory": asked}, "limits": {"memory": limit}}

    assert findings(spec) == [
        f"spec.systems[0].resources.requests.memory: {asked} is more than the limit of {limit}"
        " (lower it, or raise the limit)"
    ]


@pytest.mark.parametrize(
    ("asked", "limit"), [("1Gi", "1Gi"), ("1000m", "1"), ("1k", "1Ki"), ("2E", "2Ei"), ("8", "8M")]
)
def test_asking_for_the_limit_or_less_is_right(asked, limit):
    spec = wire_spec()
    spec["systems"][0]["resources"] = {"requests": {"memory": asked}, "limits": {"memory": limit}}

    assert findings(spec) == []


def test_an_input_that_comes_later_is_refused():
    spec = wire_spec(passes=[("tune", "cpu", "lora")])
    spec["passes"] = [wire_pass("merge", "cpu", "merge", input="tune"), *spec["passes"]]

    assert "spec.passes[0].input: no earlier pass is named 'tune'" in findings(spec)[0]


def test_an_answer_column_outside_the_template_is_refused():
    spec = wire_spec()
    spec["dataConfigs"][0]["preprocess"]["answerColumn"] = "mood"

    assert "spec.dataConfigs[0].preprocess.answerColumn: 'mood' is not a placeholder" in findings(spec)[0]


def test_a_template_naming_a_column_that_text_columns_lacks_is_refused():
    spec = wire_spec()
    spec["dataConfigs"][0]["preprocess"]["textColumns"] = ["phrase"]

    assert "names column 'tone', which textColumns lacks" in findings(spec)[0]


def test_accuracy_without_an_answer_is_refused():
    spec = wire_spec(passes=[("check", "cpu", "evaluate")])
    spec["dataConfigs"][0]["preprocess"] = {"textColumns": ["phrase"]}

    assert "spec.passes[0].evaluate.data: accuracy needs an answer" in findings(spec)[0]


def test_evaluation_beyond_the_last_step_is_refused():
    spec = wire_spec()
    training = {"evalStrategy": "steps", "evalSteps": 187, "maxSteps": 10}
    spec["passes"][0]["lora"] |= {"evalFraction": 0.3, "training": training}

    assert "evaluation after 187 steps, but training ends after 10" in findings(spec)[0]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"evalFraction": 0.3, "evalData": "tones"}, "evalFraction: set together with evalData"),
        ({"evalRows": 3, "evalData": "tones"}, "evalRows: set together with evalData"),
        ({"evalRows": 3, "evalFraction": 0.3}, "evalRows: set together with evalFraction"),
    ],
)
def test_rows_are_held_out_in_one_way(given, found):
    spec = wire_spec()
    spec["passes"][0]["lora"] |= given
    assert findings(spec) == [f"spec.passes[0].lora.{found} (choose one of the two)"]


def test_a_number_of_rows_held_out_can_be_evaluated():
    spec = wire_spec()
    spec["passes"][0]["lora"] |= {"evalRows": 3, "training": {"evalStrategy": "epoch"}}
    assert findings(spec) == []


def test_a_name_used_twice_is_refused():
    spec = wire_spec(passes=[("tune", "cpu", "lora"), ("tune", "cpu", "merge")])

    assert "spec.passes[1].name: 'tune' is used twice (give each a name of its own)" in findings(spec)


@pytest.mark.parametrize("template", ["{", "{}", "{0}", "text }"])
def test_a_broken_template_is_refused(template):
    spec = wire_spec()
    spec["dataConfigs"][0]["preprocess"]["textTemplate"] = template

    assert "spec.dataConfigs[0].preprocess.textTemplate: not a valid template" in findings(spec)[0]


def test_a_templates_columns_come_in_order_and_once():
    assert template_columns("{b} {a} {b} {{literal}}") == ["b", "a"]


@pytest.mark.parametrize("template", ["{a.__class__}", "{a[0]}", "{a!r}", "{a:>9}", "{}", "{0}", "{a"])
def test_a_placeholder_is_a_columns_name_and_nothing_else(template):
    with pytest.raises(ValueError):
        template_columns(template)


def test_a_variable_of_the_operators_own_is_refused():
    spec = wire_spec()
    spec["systems"][1]["env"] = [{"name": "FINETUNE_POD_UID", "value": "x"}]

    assert "spec.systems[1].env[0].name: FINETUNE_… is the operator's own (choose another name)" in findings(spec)


def test_a_variable_with_two_values_is_refused():
    spec = wire_spec()
    spec["systems"][1]["env"] = [{"name": "A", "value": "x", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]

    assert "spec.systems[1].env[0]: value and valueFrom are both set (keep one of the two)" in findings(spec)


def test_a_place_in_a_queue_is_refused_without_the_queue():
    spec = wire_spec()
    spec["systems"][0]["workloadPriorityClassName"] = "urgent"

    path = "spec.systems[0].workloadPriorityClassName"
    assert findings(spec) == [f"{path}: orders a queue, and there is none (set queueName, or use priorityClassName)"]


def test_the_name_of_a_queue_fits_the_label_that_kueue_reads():
    spec = wire_spec()
    spec["systems"][0]["queueName"] = "Team_A"

    (said,) = findings(spec)
    assert "'Team_A' is not the name of a queue" in said


def test_k_quant_without_zero_points_is_refused():
    spec = wire_spec()
    spec["passes"][2]["modelBuilder"] = {"isSymmetric": True}

    assert findings(spec) == [
        "spec.passes[2].modelBuilder.isSymmetric: k_quant always rounds with zero points"
        " (leave it out, or use algorithm: rtn)"
    ]


@pytest.mark.parametrize("kind", ["loha", "lokr"])
def test_the_name_of_the_list_of_blocks_without_blocks_is_refused(kind):
    spec = wire_spec()
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones", "layersPattern": "layers"}}

    assert findings(spec) == [
        f"spec.passes[0].{kind}.layersPattern: has no meaning without layersToTransform (set layersToTransform)"
    ]


@pytest.mark.parametrize("kind", TUNING)
def test_every_way_to_tune_can_be_merged_exported_and_measured(kind):
    spec = wire_spec([("tune", "gpu", "lora"), ("m", "cpu", "merge"), ("b", "cpu", "build"), ("e", "cpu", "evaluate")])
    spec["passes"][0] = {"name": "tune", "system": "gpu", kind: {"trainData": "tones"}}

    assert findings(spec) == []


def training_findings(training: dict[str, Any], system: str = "gpu") -> list[str]:
    spec = wire_spec([("tune", system, "lora")])
    spec["passes"][0]["lora"]["training"] = training
    return findings(spec)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "neftune_noise_alfa",
            "5",
            "transformers' TrainingArguments have no such argument (did you mean neftune_noise",
        ),
        ("learning_rate", "1e-4", "is a field of its own (set training.learningRate)"),
        ("save_strategy", "steps", "would have no effect: an output is committed once"),
        ("label_smoothing_factor", "0.1", "would have no effect: the loss"),
        ("neftune_noise_alpha", "[", "is not the YAML of a value it can have (write a int or float)"),
        ("torch_empty_cache_steps", "true", "is not the YAML of a value it can have (write a int)"),
    ],
)
def test_a_further_training_argument_that_would_not_count_is_refused_by_name(name, value, said):
    [text] = training_findings({"extra": {name: value}})

    assert text.startswith(f"spec.passes[0].lora.training.extra[{name}]: ")
    assert said in text


def test_further_training_arguments_may_be_given():
    extra = {"neftune_noise_alpha": "5", "logging_strategy": "no", "lr_scheduler_kwargs": "{min_lr: 1.0e-5}"}

    assert training_findings({"extra": extra}) == []


def test_blocks_are_compiled_for_an_accelerator_only():
    assert training_findings({"torchCompile": True}) == []
    [finding] = training_findings({"torchCompile": True}, system="cpu")
    assert finding.startswith("spec.passes[0].lora.training.torchCompile: torch.compile is for accelerators")


def test_flash_attention_is_refused_where_it_computes_nothing():
    assert training_findings({"attnImplementation": "flash_attention_2"}) == []
    refused = training_findings({"attnImplementation": "flash_attention_2", "dtype": "float32"}, system="cpu")
    assert [finding.partition(": ")[2] for finding in refused] == [
        "flash_attention_2 needs an accelerator (use sdpa)",
        "flash_attention_2 computes in bfloat16, and dtype is float32 (use sdpa, or leave dtype out)",
    ]


def test_warm_up_is_said_once():
    assert training_findings({"warmupSteps": 5, "warmupRatio": 0.1}) == [
        "spec.passes[0].lora.training.warmupRatio: set together with warmupSteps (choose one of the two)"
    ]


def test_an_optimizer_that_needs_an_accelerator_is_refused_without_one():
    assert training_findings({"optim": "paged_adamw_32bit"}) == []
    assert training_findings({"optim": "paged_adamw_32bit"}, system="cpu") == [
        "spec.passes[0].lora.training.optim: paged_adamw_32bit needs an accelerator, and system 'cpu' has none"
        " (use adamw_torch, or another system)"
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"precision": "fp16"}, "precision: fp16 does not run on CPUExecutionProvider (use int4 or int8 or fp32)"),
        (
            {"executionProvider": "NvTensorRTRTXExecutionProvider"},
            "precision: int4 does not run on NvTensorRTRTXExecutionProvider (use fp16 or bf16)",
        ),
        ({"precision": "fp32", "nodesToExclude": ["/lm_head/MatMul"]}, "nodesToExclude: has no effect with fp32"),
        ({"useQdq": True}, "useQdq: has no effect with algorithm: k_quant (use algorithm: default)"),
        ({"opTypesToQuantize": ["Gather"]}, "opTypesToQuantize: Gather has no effect with algorithm: k_quant"),
        ({"precision": "int8", "useQdq": True, "algorithm": "default"}, "useQdq: int8 has no QDQ form"),
        ({"enableCudaGraph": True}, "enableCudaGraph: has no effect on CPUExecutionProvider"),
        ({"extraOptions": {"block_size": "64"}}, "extraOptions[block_size]: is a field of its own (set blockSize)"),
        ({"extraOptions": {"config_only": "1"}}, "extraOptions[config_only]: is not taken: no model would be exported"),
        ({"extraOptions": {"fuse_qvk": "1"}}, "no such option (did you mean fuse_qkv?)"),
    ],
)
def test_an_export_that_cannot_be_or_an_option_without_effect_is_refused(fields, said):
    spec = wire_spec([("int4", "cpu", "build")])
    spec["passes"][0]["modelBuilder"] = fields

    [text] = findings(spec)
    assert text.startswith("spec.passes[0].modelBuilder.")
    assert said in text


def exported(target, **fields):
    spec = wire_spec([("int4", "cpu", "build")], engine={"target": {"executionProvider": target}})
    spec["passes"][0]["modelBuilder"] = fields
    return findings(spec)


def test_a_precision_is_checked_against_the_engines_target():
    assert exported("DmlExecutionProvider", precision="fp16") == []
    assert exported("WebGpuExecutionProvider", precision="fp16") == [
        "spec.passes[0].modelBuilder.precision: fp16 does not run on WebGpuExecutionProvider (use int4 or int8)"
    ]


def test_an_exports_own_provider_counts_instead_of_the_engines_target():
    own = {"executionProvider": "CPUExecutionProvider"}
    assert exported("NvTensorRTRTXExecutionProvider", precision="int4", **own) == []


def test_a_graph_for_cuda_is_measured_on_a_system_with_an_accelerator():
    def measured_on(system, **accelerator):
        chain = [("int4", "cpu", "build"), ("check", system, "evaluate")]
        spec = wire_spec(chain, engine={"target": {"executionProvider": "CUDAExecutionProvider"}})
        spec["systems"][0]["accelerator"] = accelerator
        return findings(spec)

    refused = (
        "spec.passes[1]: 'int4' is made for CUDAExecutionProvider, which needs an accelerator that system {!r} lacks"
        " (run it on a system with one, or measure the model before its export)"
    )
    assert measured_on("gpu") == []
    assert measured_on("gpu", resourceName="example.com/shared-gpu") == []
    assert measured_on("gpu", resourceName="amd.com/gpu") == [refused.format("gpu")]
    assert measured_on("cpu") == [refused.format("cpu")]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"executionProvider": "DmlExecutionProvider"}, "'int4' is made for DmlExecutionProvider"),
        ({"excludeLmHead": True}, "'int4' lacks its embedding or its head"),
    ],
)
def test_measuring_a_graph_that_cannot_be_run_here_is_refused(fields, said):
    spec = wire_spec([("int4", "cpu", "build"), ("check", "cpu", "evaluate")])
    spec["passes"][0]["modelBuilder"] = fields

    [text] = findings(spec)
    assert text.startswith("spec.passes[1]: ")
    assert said in text


def test_a_pass_that_may_take_longer_than_its_job_is_refused():
    spec = wire_spec(activeDeadlineSeconds=3600)
    spec["passes"][1]["activeDeadlineSeconds"] = 3601
    assert findings(spec) == [
        "spec.passes[1].activeDeadlineSeconds: 3601 seconds are more than the whole job has, which are 3600"
        " (lower it, or raise spec.activeDeadlineSeconds)"
    ]


def test_a_pass_may_take_as_long_as_its_job():
    spec = wire_spec(activeDeadlineSeconds=3600)
    spec["passes"][1]["activeDeadlineSeconds"] = 3600
    assert findings(spec) == []
