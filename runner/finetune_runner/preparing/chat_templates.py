"""Chat templates looked at before an accelerator is asked for."""

from finetune_api.data_used import data_used
from finetune_api.resource.job import FineTuneJobSpec
from finetune_runner.data.chat import ChatTemplate
from finetune_runner.data.file_tokenizer import template_in
from finetune_runner.data.rendering import no_template
from finetune_runner.layout import PodLayout
from finetune_runner.sources import base_model
from finetune_runner.sources.base_model import PinnedModel

FETCHED_TO = ("prepare", "chat")


def check_chat_templates(spec: FineTuneJobSpec, base: PinnedModel, layout: PodLayout) -> None:
    """That conversations have a template: their own, or that of the input model's tokenizer, where its files tell.

    Where they do not, as of a model that is converted first or brings code, the pass itself looks.

    Raises:
        FineTuneError: InvalidSpec; ModelNotFound, AuthDenied, HubUnavailable or StoreUnavailable.
    """
    source = ""
    for index in data_used(spec):
        path, chat = f"spec.dataConfigs[{index}].preprocess.chat", spec.data_configs[index].preprocess.chat
        if chat is None:
            continue
        if not chat.chat_template and (base.conversion == "gguf" or spec.input_model.trust_remote_code):
            continue
        source = source if chat.chat_template else source or _template_of(spec, layout)
        if not (chat.chat_template or source):
            raise no_template(path)
        ChatTemplate(chat.chat_template or source, bos="", eos="", path=path).check()


def _template_of(spec: FineTuneJobSpec, layout: PodLayout) -> str:
    folder = layout.folder(*FETCHED_TO)
    base_model.fetch_tokenizer(spec.input_model, layout, folder)
    return template_in(folder)
