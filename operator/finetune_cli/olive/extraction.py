"""ExtractAdapters → extractAdapters, which exports the base and its adapter in one pass. Pure."""

from finetune_api.plan import TUNING
from finetune_api.validate.extraction import NOT_FACTORS
from finetune_cli.olive.builder import precise
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced

SAME_HERE: dict[str, object] = {
    "adapter_type": "lora",
    "make_inputs": True,
    "dynamic_lora_r": True,
    "optional_inputs": True,
    "save_format": "onnx_adapter",
}
"""Olive's defaults, which are what an extraction does."""
ONLY_OF_MODELS = ("excludeEmbeds", "excludeLmHead", "enableCudaGraph")
"""Fields of modelBuilder that an extraction lacks."""
ONE_FILE = ("onnxruntime-genai's files are written in its own way", LEAVE_OUT)
NOT_CARRIED = dict.fromkeys(
    (
        "save_as_external_data",
        "all_tensors_to_one_file",
        "external_data_name",
        "size_threshold",
        "convert_attribute",
        "external_initializers_file_name",
        "constant_inputs_file_name",
    ),
    ONE_FILE,
)


def extraction(section: Section, found: list[Draft], provider: str, context: Context) -> Draft | None:
    """The fields of the pass, where none exported the adapter before.

    In Olive, ModelBuilder exports a base with its adapter, from which ExtractAdapters takes the adapter out. Here one
    pass does both: a ModelBuilder before it becomes that pass.

    Args:
        section: the pass's config.
        found: the passes before it.
        provider: the artifact's execution provider.
        context: of the import.
    """
    _refuse(section)
    chain = [draft for draft in found if "evaluate" not in draft]
    if not chain or "modelBuilder" not in chain[-1]:
        precision, why = precise(provider)
        message = f"no ModelBuilder comes before it: the base is exported in {precision}, {why}"
        context.ledger.note(section.steps, message)
        return {"precision": precision}
    exported = chain[-1]
    if len(chain) == 1 or not set(TUNING) & set(chain[-2]):
        context.ledger.not_carried(section.steps, "what is exported before it has no adapter", "leave out the merge")
        return None
    if others := set(NOT_FACTORS) & set(chain[-2]):
        message = f"an adapter of {others.pop()} can't be extracted"
        context.ledger.not_carried(section.steps, message, "use LoRA or QLoRA, or merge the adapter")
        return None
    fields = exported.pop("modelBuilder")
    for name in ONLY_OF_MODELS:
        given = fields.pop(name, None)
        if isinstance(given, Sourced) and given.value:
            context.ledger.not_carried(given.steps, "an adapter belongs to a whole model", LEAVE_OUT)
    exported["extractAdapters"] = fields
    context.ledger.note(section.steps, f"pass {exported['name'].value!r} exports the base and extracts the adapter")
    return None


def _refuse(section: Section) -> None:
    for name, value in SAME_HERE.items():
        given = section.take(name)
        if given and given.value != value:
            section.ledger.not_carried(given.steps, f"an extraction has {name}: {str(value).lower()}", LEAVE_OUT)
    section.refuse(NOT_CARRIED)
