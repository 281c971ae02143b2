"""Cache keys: what decides an output changes its key, and nothing else does."""

import pytest

from adapter_specs import adapters_spec
from api_specs import spec_of, wire_pass, wire_spec
from finetune_api.plan import plan
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.cache_keys.library_versions import PINNED
from finetune_runner.cache_keys.pass_keys import pass_keys

CHAIN = [("tune", "gpu", "lora"), ("merge", "cpu", "merge"), ("int4", "cpu", "build"), ("check", "cpu", "evaluate")]


def keys(spec, base="base-digest", rows="rows-digest", uid="uid"):
    names = [config.name for config in spec.data_configs]
    return pass_keys(spec, plan(spec), base, dict.fromkeys(names, rows), plugins={}, uid=uid)


def changed(first, second):
    """Names of the passes whose key differs."""
    return {name for name in first if first[name] != second.get(name)}


def with_pass(index, **fields):
    """The chain, with fields of one pass's config set."""
    spec = wire_spec(CHAIN)
    step = spec["passes"][index]
    kind = next(key for key in step if key not in ("name", "system", "input"))
    step[kind] = step[kind] | fields
    return FineTuneJobSpec.model_validate(spec)


def test_every_pass_has_a_key_of_its_own():
    assert len(set(keys(spec_of(CHAIN)).values())) == 4


def test_another_base_changes_all_keys():
    assert changed(keys(spec_of(CHAIN)), keys(spec_of(CHAIN), base="other")) == {"tune", "merge", "int4", "check"}


def test_a_changed_pass_changes_its_own_key_and_those_downstream():
    assert changed(keys(spec_of(CHAIN)), keys(with_pass(0, r=8))) == {"tune", "merge", "int4", "check"}
    assert changed(keys(spec_of(CHAIN)), keys(with_pass(2, blockSize=64))) == {"int4", "check"}


@pytest.mark.parametrize(
    "training", [{"saveSeconds": 5, "saveSteps": 7, "saveTotalLimit": 1}, {"gradientCheckpointing": True}]
)
def test_how_often_checkpoints_are_made_and_activations_computed_changes_no_key(training):
    often = with_pass(0, training=training)
    assert changed(keys(spec_of(CHAIN)), keys(often)) == set()


def test_a_tracker_changes_no_key():
    told = with_pass(0, training={"reportTo": ["tensorboard"]})
    assert changed(keys(spec_of(CHAIN)), keys(told)) == set()


def test_what_is_measured_on_cuda_depends_on_its_runtime_too(monkeypatch):
    for_cuda = spec_of(
        [*CHAIN[:3], ("check", "gpu", "evaluate")], engine={"target": {"executionProvider": "CUDAExecutionProvider"}}
    )
    before = keys(for_cuda), keys(spec_of(CHAIN))
    monkeypatch.setitem(PINNED, "onnxruntime-gpu", "1.99.0")
    assert changed(before[0], keys(for_cuda)) == {"check"}
    assert changed(before[1], keys(spec_of(CHAIN))) == set()


def test_gates_change_no_key():
    gate = {"metric": "accuracy", "after": "int4", "min": "0.85"}
    assert changed(keys(spec_of(CHAIN)), keys(spec_of(CHAIN, gates=[gate]))) == set()


def test_names_of_passes_systems_data_and_evaluators_do_not_matter():
    renamed = wire_spec([("a", "c", "lora"), ("b", "d", "merge"), ("e", "d", "build"), ("f", "d", "evaluate")])
    renamed["systems"] = [{"name": "c", "accelerator": {}}, {"name": "d"}]
    renamed["dataConfigs"][0]["name"] = renamed["passes"][0]["lora"]["trainData"] = "rows"
    renamed["passes"][3]["evaluate"] = {"evaluator": "figures", "data": "rows"}
    renamed["evaluators"][0]["name"] = "figures"

    assert list(keys(FineTuneJobSpec.model_validate(renamed)).values()) == list(keys(spec_of(CHAIN)).values())


def test_what_an_evaluation_is_compared_with_counts_and_not_its_name():
    def compared(name, tune="tune"):
        spec = wire_spec([(tune, "gpu", "lora"), ("merge", "cpu", "merge"), ("check", "cpu", "evaluate")])
        spec["passes"][2]["evaluate"] |= {"comparedTo": name} if name else {}
        return keys(FineTuneJobSpec.model_validate(spec))["check"]

    assert len({compared(""), compared("base"), compared("tune")}) == 3
    assert compared("train", tune="train") == compared("tune")


def test_an_evaluation_in_between_does_not_change_what_follows():
    between = [*CHAIN[:2], ("look", "cpu", "evaluate"), CHAIN[2]]
    first, second = keys(spec_of(CHAIN)), keys(spec_of(between))
    assert second["int4"] == first["int4"]


def test_where_the_rows_lie_does_not_matter_but_what_they_say_does():
    moved = wire_spec(CHAIN)
    moved["dataConfigs"][0]["source"] = {"configMap": {"name": "tones", "key": "tones.jsonl"}}
    spec = FineTuneJobSpec.model_validate(moved)

    assert keys(spec) == keys(spec_of(CHAIN))
    assert changed(keys(spec), keys(spec, rows="other")) == {"tune", "merge", "int4", "check"}


def test_the_template_decides_what_is_trained():
    other = wire_spec(CHAIN)
    other["dataConfigs"][0]["preprocess"] = {"textTemplate": "{phrase} is {tone}"}
    assert "tune" in changed(keys(spec_of(CHAIN)), keys(FineTuneJobSpec.model_validate(other)))


def test_training_with_and_without_an_accelerator_differ_but_merging_does_not():
    on_cpu = [("tune", "cpu", "lora"), *CHAIN[1:]]
    merge_of_base_adapter = keys(spec_of(CHAIN))["merge"]
    assert keys(spec_of(on_cpu))["tune"] != keys(spec_of(CHAIN))["tune"]
    moved = [CHAIN[0], ("merge", "gpu", "merge"), *CHAIN[2:]]
    assert keys(spec_of(moved))["merge"] == merge_of_base_adapter


def test_the_default_execution_provider_and_the_same_one_named_are_the_same():
    assert keys(with_pass(2, executionProvider="CPUExecutionProvider")) == keys(spec_of(CHAIN))


def test_the_engines_execution_provider_decides_an_export_that_names_none():
    cuda = spec_of(CHAIN, engine={"target": {"executionProvider": "CUDAExecutionProvider"}})
    assert changed(keys(spec_of(CHAIN)), keys(cuda)) == {"int4", "check"}


def test_metrics_decide_an_evaluation_alone():
    evaluators = [{"name": "tone-accuracy", "metrics": [{"name": "loss", "loss": {}}]}]
    assert changed(keys(spec_of(CHAIN)), keys(spec_of(CHAIN, evaluators=evaluators))) == {"check"}


def test_an_evaluation_of_the_base_has_the_base_for_its_input():
    spec = wire_spec(CHAIN)
    spec["passes"].append(wire_pass("before", "cpu", "evaluate", input="base"))
    found = keys(FineTuneJobSpec.model_validate(spec))
    assert found["before"] != found["check"]


def test_with_the_cache_off_keys_are_of_this_job_alone():
    off = spec_of(CHAIN, engine={"cache": False})
    first, again, other = keys(off, uid="one"), keys(off, uid="one"), keys(off, uid="two")

    assert again == first
    assert not set(other.values()) & set(first.values())
    assert not set(keys(spec_of(CHAIN), uid="one").values()) & set(first.values())


def test_with_the_cache_on_the_job_does_not_matter():
    assert keys(spec_of(CHAIN), uid="one") == keys(spec_of(CHAIN, engine={"cache": True}), uid="two")


def merged_auto(kind, algorithm="k_quant", base="auto", **held_out):
    spec = wire_spec([("tune", "gpu", kind), *CHAIN[1:]])
    spec["passes"][0][kind] |= held_out
    spec["passes"][1]["mergeAdapterWeights"] = {"mergeBase": base}
    spec["passes"][2]["modelBuilder"] = {"algorithm": algorithm}
    return keys(FineTuneJobSpec.model_validate(spec))


def test_a_merge_that_chooses_its_base_depends_on_how_its_model_is_rounded():
    first = merged_auto("qlora", evalRows=9)
    assert changed(first, merged_auto("qlora", "rtn", evalRows=9)) == {"merge", "int4", "check"}
    assert changed(first, merged_auto("qlora", evalRows=8)) == {"tune", "merge", "int4", "check"}
    assert changed(first, merged_auto("qlora", base="original", evalRows=9)) == {"merge", "int4", "check"}


def test_a_merge_that_has_no_choice_is_that_into_the_original():
    assert changed(merged_auto("lora"), merged_auto("lora", base="original")) == set()


def calibrated(by, rows):
    """The chain's keys, its export calibrated by one of two data configs, whose rows have these digests."""
    spec = wire_spec(CHAIN)
    spec["dataConfigs"].append({**spec["dataConfigs"][0], "name": "others"})
    spec["passes"][2]["modelBuilder"] = {"algorithm": "gptq", "calibrationData": by}
    spec = FineTuneJobSpec.model_validate(spec)
    return pass_keys(spec, plan(spec), "base-digest", rows, plugins={}, uid="uid")


def test_an_export_that_is_calibrated_depends_on_the_rows_and_not_on_their_name():
    same, unlike = {"tones": "a", "others": "a"}, {"tones": "a", "others": "b"}
    assert changed(calibrated("tones", same), calibrated("others", same)) == set()
    assert changed(calibrated("tones", unlike), calibrated("others", unlike)) == {"int4", "check"}


def renamed(spec, old, new):
    """The spec with a pass of another name, wherever it is named."""
    return FineTuneJobSpec.model_validate_json(spec.model_dump_json(by_alias=True).replace(f'"{old}"', f'"{new}"'))


def several(*further, measured=""):
    return FineTuneJobSpec.model_validate(adapters_spec(*further, measured=measured))


def test_an_export_depends_on_all_of_its_adapters():
    spec = adapters_spec("mood")
    spec["passes"][1]["qlora"]["r"] = 8
    assert changed(keys(several("mood")), keys(FineTuneJobSpec.model_validate(spec))) == {"mood", "export", "check"}
    assert changed(keys(several()), keys(several("mood"))) == {"export", "check"}


@pytest.mark.parametrize("name", ["tone", "mood"])
def test_names_of_passes_matter_where_adapters_are_called_after_them(name):
    spec = several("mood")
    assert changed(keys(spec), keys(renamed(spec, name, "other"))) == {name, "export", "check"}
    assert keys(spec)[name] == keys(renamed(spec, name, "other"))["other"]
    assert keys(several())["export"] == keys(renamed(several(), name, "other"))["export"]


def test_the_adapter_that_is_measured_matters_and_not_whether_it_is_named():
    assert changed(keys(several("mood")), keys(several("mood", measured="mood"))) == {"check"}
    assert changed(keys(several("mood")), keys(several("mood", measured="tone"))) == set()
