"""finetune import: Olive's ExtractAdapters, which works on what ModelBuilder exported, is one pass with it."""

from olive_configs import MODERN, changed, imported, reports, spec_of

EXTRACT = ("passes", "extract")
BUILDER = ("passes", "export")
CONFIG = changed(MODERN, (("passes", "merge"), None), (EXTRACT, {"type": "ExtractAdapters"}))


def test_the_builder_and_the_extraction_behind_it_are_one_pass_with_the_builders_options():
    spec = spec_of(changed(CONFIG, ((*BUILDER, "int4_block_size"), 64)))
    assert [step["name"] for step in spec["passes"]] == ["tune", "export"]
    assert spec["passes"][1]["extractAdapters"] == {"precision": "int4", "algorithm": "default", "blockSize": 64}


def test_options_of_half_a_model_are_reported():
    found = imported(changed(CONFIG, ((*BUILDER, "exclude_embeds"), True)))
    assert found.manifest
    assert [report for report in reports(found) if "$.passes.export.exclude_embeds: " in report]


def test_of_a_merged_model_there_is_no_adapter_to_extract():
    found = imported(changed(MODERN, (EXTRACT, {"type": "ExtractAdapters"})))
    assert [list(step)[-1] for step in found.manifest["spec"]["passes"]][-1] == "modelBuilder"
    assert [report for report in reports(found) if report.startswith("$.passes.extract: ")]


def test_an_extraction_by_itself_exports_as_olive_does_without_a_word_on_it():
    spec = spec_of(changed(CONFIG, (BUILDER, None)))
    assert spec["passes"][1]["extractAdapters"] == {"precision": "fp16"}  # its target is CUDA, where fp32 does not run


def test_without_a_precision_an_export_is_as_precise_as_its_provider_allows():
    """Olive's own is fp32."""
    for provider, precision in (("CPU", "fp32"), ("CUDA", "fp16"), ("WebGpu", "int8")):
        device = {"device": "gpu", "execution_providers": [f"{provider}ExecutionProvider"]}
        found = imported(
            changed(MODERN, ((*BUILDER, "precision"), None), (("systems", "gpu", "accelerators"), [device]))
        )
        notes = [note for note in map(str, found.notes) if "no precision is given: " in note]
        assert (found.manifest["spec"]["passes"][-1]["modelBuilder"]["precision"], len(notes)) == (precision, 1)


def test_host_and_evaluator_of_an_extraction_that_is_no_pass_of_its_own_are_reported():
    found = imported(changed(CONFIG, (EXTRACT, {"type": "ExtractAdapters", "host": "gpu", "evaluator": "quality"})))
    paths = [report.partition(": ")[0] for report in reports(found)]
    assert {"$.passes.extract.host", "$.passes.extract.evaluator"} <= set(paths)


METADATA = {"type": "ModelBuilder", "precision": "fp16", "metadata_only": True}


def test_metadata_for_what_is_exported_already_needs_no_pass():
    """Olive's own order: what extracts an adapter writes no genai_config.json there."""
    passes = {"tune": CONFIG["passes"]["tune"], "extract": {"type": "ExtractAdapters"}, "metadata": METADATA}
    found = imported(changed(CONFIG, (("passes",), passes)))
    assert [step["name"] for step in found.manifest["spec"]["passes"]] == ["tune", "extract"]
    assert reports(found) == []
    assert [note for note in map(str, found.notes) if note.startswith("$.passes.metadata: ")]


def test_of_metadata_host_and_evaluator_are_reported_as_it_is_no_pass():
    found = imported(changed(MODERN, (("passes", "metadata"), METADATA | {"host": "gpu"})))
    assert list(found.manifest["spec"]["passes"][-1])[-1] == "modelBuilder"
    assert [report.partition(": ")[0] for report in reports(found)] == ["$.passes.metadata.host"]


def test_metadata_of_a_model_that_nothing_exports_becomes_an_export():
    passes = {name: MODERN["passes"][name] for name in ("tune", "merge")} | {"metadata": METADATA}
    found = imported(changed(MODERN, (("passes",), passes)))
    assert found.manifest["spec"]["passes"][-1]["modelBuilder"]["precision"] == "fp16"
    assert [report.partition(": ")[0] for report in reports(found)] == ["$.passes.metadata.metadata_only"]


def test_of_another_kind_of_adapter_nothing_is_extracted():
    found = imported(changed(CONFIG, (("passes", "tune", "type"), "DoRA")))
    assert [report for report in reports(found) if report.startswith("$.passes.extract: ")]
    assert found.manifest is None or "extractAdapters" not in found.manifest["spec"]["passes"][-1]
