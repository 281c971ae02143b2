"""ModelBuilder → modelBuilder. Pure."""

from finetune_api import export_options
from finetune_cli.olive.context import Context
from finetune_cli.olive.draft import Draft
from finetune_cli.olive.notes import LEAVE_OUT
from finetune_cli.olive.section import Section, Sourced, joined

NAMES: dict[str, tuple[str, ...]] = {
    "precision": ("precision",),
    "algorithm": ("int4_algo_config", "algo_config"),
    "blockSize": ("int4_block_size", "block_size"),
    "isSymmetric": ("int4_is_symmetric", "is_symmetric"),
    "accuracyLevel": ("int4_accuracy_level", "accuracy_level"),
    "opTypesToQuantize": ("int4_op_types_to_quantize", "op_types_to_quantize"),
    "nodesToExclude": ("int4_nodes_to_exclude", "nodes_to_exclude"),
    "excludeEmbeds": ("exclude_embeds",),
    "excludeLmHead": ("exclude_lm_head",),
    "enableCudaGraph": ("enable_cuda_graph",),
    "useQdq": ("use_qdq",),
}
FLAGS = ("isSymmetric", "excludeEmbeds", "excludeLmHead", "enableCudaGraph", "useQdq")
LISTS = {"opTypesToQuantize": "/", "nodesToExclude": ","}
"""Fields that the builder's own options write as text, and what stands between items."""
WORDS = {"true": True, "1": True, "false": False, "0": False}
EXPORTS = frozenset({"modelBuilder", "extractAdapters"})
PRECISE_FIRST = ("fp32", "fp16", "int8")


def precise(provider: str) -> tuple[str, str]:
    """What is exported where no precision is said, and why: fp32, as in Olive, or what comes nearest on a provider."""
    if not (possible := export_options.PRECISIONS.get(provider)) or PRECISE_FIRST[0] in possible:
        return PRECISE_FIRST[0], "as in Olive"
    return next(p for p in PRECISE_FIRST if p in possible), f"since fp32 does not run on {provider}"


def builder(section: Section, provider: str, context: Context) -> Draft:
    """An export for an execution provider; where Olive's defaults differ from ours, its own are written."""
    own = section.part("extra_options")
    every = joined(section, own)
    draft: Draft = {field: _value(field, every, names) for field, names in NAMES.items()}
    if draft["precision"] is None:
        draft["precision"], why = precise(provider)
        context.ledger.note(section.steps, f"no precision is given: {draft['precision']}, {why}")
    _algorithm(draft, section, context)
    _metadata_only(section, context)
    search = ("generate's defaults stay those of the model", "edit search in genai_config.json of the artifact")
    section.refuse({"search": search})
    further = {name: every.take(name) for name in every if name in export_options.FURTHER}
    draft["extraOptions"] = {name: _as_text(item) for name, item in further.items() if item} or None
    own.refuse({name: (why, LEAVE_OUT) for name, why in export_options.REFUSED.items()})
    return draft


def adds_metadata(section: Section, found: list[Draft], context: Context) -> bool:
    """Whether it would only write genai_config.json for what is exported already, as an export here does by itself.

    Args:
        section: the pass's config.
        found: the passes before it.
        context: of the import, which is told so.
    """
    given, chain = section.peek("metadata_only"), [draft for draft in found if "evaluate" not in draft]
    if not (given and given.value is True and chain and EXPORTS & set(chain[-1])):
        return False
    for name in section:
        section.take(name)
    context.ledger.note(section.steps, f"pass {chain[-1]['name'].value!r}, which exports, writes genai_config.json too")
    return True


def _value(field: str, section: Section, names: tuple[str, ...]) -> Sourced | None:
    if field in ("blockSize", "accuracyLevel"):
        return section.number(*names)
    found = section.take(*names)
    if found is None:
        return None
    value = found.value
    if field in FLAGS and str(value).lower() in WORDS:
        value = WORDS[str(value).lower()]
    if field in LISTS and isinstance(value, str):
        value = [item for item in value.split(LISTS[field]) if item]
    return Sourced(value, found.steps)


def _algorithm(draft: Draft, section: Section, context: Context) -> None:
    """Olive leaves the builder's default; we round with k_quant unless told otherwise."""
    if draft["algorithm"] is not None:
        return
    draft["algorithm"] = "default"
    precision = draft["precision"]
    if isinstance(precision, Sourced) and precision.value in export_options.ROUNDED:
        message = "weights are rounded by algorithm: default, as in Olive"
        context.ledger.note(section.steps, message, "k_quant loses less")


def _metadata_only(section: Section, context: Context) -> None:
    given = section.flag("metadata_only")
    if given and given.value:
        context.ledger.not_carried(given.steps, "a model is exported in any case", LEAVE_OUT)


def _as_text(item: Sourced) -> Sourced:
    value = item.value
    if isinstance(value, bool):
        return Sourced(str(value).lower(), item.steps)
    return Sourced(str(value), item.steps) if isinstance(value, (int, float)) else item
