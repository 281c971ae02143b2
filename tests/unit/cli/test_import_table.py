"""docs/olive.md: what it says of each key is what finetune import does, and it says something of every key."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from command_line import REPOSITORY
from finetune_cli.olive.convert import Imported
from finetune_cli.olive.notes import Kind
from olive_configs import changed, imported
from olive_table import FULL, TABLES, Row, imported_row, is_about, rows, way

ROWS = list(rows())
LOAD, PROCESS, PASS = "### `load_dataset_config`", "### `pre_process_data_config`", "### LoRA, QLoRA, DoRA, LoftQ"
OF_OLIVE_0_13 = {
    "## `input_model`": "type config model_path task io_config adapter_path test_model_path test_model_config"
    " model_attributes load_kwargs.torch_dtype load_kwargs.device_map load_kwargs.max_memory"
    " load_kwargs.quantization_method load_kwargs.quantization_config load_kwargs.trust_remote_code"
    " load_kwargs.extra_args",
    "## `data_configs`": "name type user_script script_dir post_process_data_config dataloader_config",
    LOAD: "type params data_name subset data_dir split data_files col_filters",
    PROCESS: "type params user_script script_dir max_samples max_seq_len pad_to_max_len padding_side"
    " drop_short_sequences use_attention_mask chat_template message_col add_special_tokens text_formatting_func"
    " text_template text_cols strategy stride joiner processing_batch_size random_seed random_retries",
    "## `systems`": "type config accelerators accelerators[0].device accelerators[0].execution_providers"
    " accelerators[0].memory hf_token dockerfile build_context_path image_name work_dir build_args run_params"
    " clean_image python_environment_path environment_variables prepend_to_path",
    "Any pass:": "type config host evaluator",
    PASS: "r alpha lora_dropout target_modules modules_to_save torch_dtype device_map allow_tf32 ephemeral_gpu_offload"
    " train_data_config eval_data_config training_args",
    "Of QLoRA and LoftQ:": "double_quant quant_type compute_dtype save_quant_config",
    "Of LoftQ:": "loftq_iter",
    "### LoHa, LoKr": "rank_dropout module_dropout use_effective_conv2d exclude_modules init_weights"
    " layers_to_transform layers_pattern rank_pattern alpha_pattern decompose_both decompose_factor rank_dropout_scale",
    "### `training_args`": "gradient_checkpointing report_to output_dir deepspeed extra_args learning_rate"
    " lr_scheduler_type warmup_ratio eval_strategy overwrite_output_dir resume_from_checkpoint optim",
    "### ModelBuilder": "precision metadata_only search int4_accuracy_level int4_block_size int4_is_symmetric"
    " int4_op_types_to_quantize int4_nodes_to_exclude int4_algo_config use_qdq use_8bits_moe use_webgpu_fp32"
    " use_cuda_bf16 include_hidden_states exclude_embeds exclude_lm_head enable_cuda_graph extra_options",
    "### ExtractAdapters": "type adapter_type make_inputs dynamic_lora_r optional_inputs save_format"
    " save_as_external_data all_tensors_to_one_file external_data_name size_threshold convert_attribute",
    "## `evaluators`": "name type type_args user_script script_dir metrics metrics[0].name metrics[0].type"
    " metrics[0].backend metrics[0].user_config metrics[0].data_config metrics[0].sub_types[0].name"
    " metrics[0].sub_types[0].metric_config metrics[0].sub_types[0].priority metrics[0].sub_types[0].goal"
    " metrics[0].sub_types[0].higher_is_better",
    "## `engine`": "search_strategy host target evaluator plot_pareto_frontier no_artifacts evaluate_input_model"
    " output_dir packaging_config cache_config cache_dir clean_cache clean_evaluation_cache enable_shared_cache"
    " log_severity_level ort_log_severity_level ort_py_log_severity_level log_to_file",
    "## The rest of the root": "workflow_id",
}
"""Fields of its pydantic models, of its passes' _default_config and of load_dataset's signature."""
FREE_NAMES = {"aml", "azure_arc", "lora", "merge_adapter_weights", "builder"}
"""What the seed calls its systems and passes."""


@pytest.mark.parametrize("heading", TABLES)
def test_keys_become_what_the_page_says(heading):
    said = [row for row in ROWS if row.heading == heading]
    assert said
    assert [message for row in said for message in _mismatches(row)] == []


def test_every_key_of_olive_0_13_stands_in_a_table():
    there = {(row.heading, row.key) for row in ROWS}
    wanted = {(heading, key) for heading, keys in OF_OLIVE_0_13.items() for key in keys.split()}
    assert wanted - there == set()


def test_every_key_of_the_example_from_2024_stands_in_a_table():
    config = json.loads((REPOSITORY / "examples" / "olive" / "olive-config.json").read_text())
    there = {str(step) for row in ROWS for step in (*TABLES[row.heading][1], *way(row.key))}
    inner = {"subscription_id", "resource_group", "workspace_name", "base_image"}  # of objects with one row
    assert _keys(config) - FREE_NAMES - inner - there - {"engine", "systems", "training_args"} == set()


@pytest.mark.parametrize("heading", TABLES)
def test_a_key_that_stands_in_no_table_is_reported(heading):
    config, steps = TABLES[heading]
    found = imported(changed(config, ((*steps, "unheard-of"), 1)))
    [report] = [note for note in found.notes if note.kind is Kind.NOT_CARRIED]
    assert report.steps == (*steps, "unheard-of")


def test_the_config_that_the_tables_change_is_carried_over_whole():
    assert [note for note in imported(FULL).notes if note.kind is not Kind.NOTE] == []


def _mismatches(row: Row) -> Iterator[str]:
    """In what the import differs from what a row says."""
    before, found = imported_row(row, given=False), imported_row(row, given=True)
    for path, value in row.fields.items():
        if (there := _at(_spec(found), path)) != value:
            yield f"{row}: {path} is {there}"
    differs = _spec(found) != _spec(before)
    if (row.fields and not differs) or (differs and "same" in row.verdicts):
        yield f"{row}: does not make the difference that it says"
    new = [note for note in found.notes if note.kind is not Kind.NOTE and note not in before.notes]
    about = new if row.fields else [note for note in new if is_about(note, row)]
    if {str(note.kind) for note in about} != _kinds(row):
        yield f"{row}: {[str(note) for note in about]}"
    yield from (f"{note}: nothing to do is named" for note in new if not note.remedy)


def _kinds(row: Row) -> set[str]:
    return {{"reported": "not carried", "error": "error"}[verdict] for verdict in row.verdicts - {"same"}}


def _spec(found: Imported) -> Any:
    return found.manifest["spec"] if found.manifest else None


def _at(spec: Any, path: str) -> Any:
    """What stands there; None where there is nothing."""
    for step in way(path):
        try:
            spec = spec[step]
        except (KeyError, IndexError, TypeError):
            return None
    return spec


def _keys(value: Any) -> set[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    own = set(value) if isinstance(value, dict) else set()
    return own.union(*(_keys(item) for item in inner))
