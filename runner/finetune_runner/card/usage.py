"""How an artifact is run, for its card."""

from finetune_api.plan import Product
from finetune_api.resource.data import Preprocess
from finetune_runner.artifact.adapters import ALONE, adapter_file
from finetune_runner.card.text import fenced
from finetune_runner.data.template import template_of
from finetune_runner.publishing.made import Made

S3 = "s3://"
FOLDER = "FOLDER"
"""What stands for wherever the artifact was downloaded to."""
ANY_PROMPT = "Hello"

ONNX = """\
import json

import onnxruntime_genai as og
from tokenizers import Tokenizer

folder = "{folder}"
prompt = {prompt!r}

model = og.Model(folder)
tokenizer = Tokenizer.from_file(f"{{folder}}/tokenizer.json")  # og.Tokenizer adds no first token (BOS)
ids = tokenizer.encode(prompt{special}).ids
context = json.load(open(f"{{folder}}/genai_config.json"))["model"]["context_length"]
parameters = og.GeneratorParams(model)
parameters.set_search_options(max_length=min(1024, context), do_sample=False)
generator = og.Generator(model, parameters)
{adapter}generator.append_tokens(ids)
while not generator.is_done():
    generator.generate_next_token()
print(tokenizer.decode(generator.get_sequence(0)[len(ids) :].tolist()))
"""

LOADED = """\
adapters.load(f"{{folder}}/{file}", {name!r})
"""

ADAPTERS = """\
adapters = og.Adapters(model)
{loaded}generator.set_active_adapter(adapters, {name!r})  # without it: the base model
"""

PYTORCH = """\
from transformers import AutoModelForCausalLM, AutoTokenizer
{imports}
folder = "{folder}"
prompt = {prompt!r}

tokenizer = AutoTokenizer.from_pretrained(folder)
model = {model}
ids = tokenizer(prompt, return_tensors="pt"{special})
print(tokenizer.decode(model.generate(**ids, max_new_tokens=64)[0], skip_special_tokens=True))
"""


def how_to_run(made: Made) -> str:
    """Commands and code; braces in the prompt stand for what is asked."""
    trained = made.trained_on
    preprocess = trained.preprocess if trained else None
    parts = [_chat(made), fenced("python", _code(made, preprocess)), _prompt_note(preprocess), _adapters_note(made)]
    return "\n\n".join(part for part in parts if part)


def _chat(made: Made) -> str:
    if made.step.product is not Product.ONNX:
        return ""
    output = made.spec.output
    endpoint = output.s3.endpoint if output and output.s3 else ""
    option = f" --endpoint {endpoint}" if endpoint else ""
    location = made.uri + option if made.uri.startswith(S3) else FOLDER
    if made.adapters:
        location += f" --adapter {made.adapters[0]}"
    note = "It checks every file first, and asks in the words that the model was trained on."
    return fenced("console", f"finetune chat {location}") + "\n\n" + note + " In Python:"


def _code(made: Made, preprocess: Preprocess | None) -> str:
    prompt = _prompt(preprocess)
    special = "" if preprocess is None or preprocess.add_special_tokens else ", add_special_tokens=False"
    if made.step.product is Product.ONNX:
        return ONNX.format(folder=FOLDER, prompt=prompt, special=special, adapter=_adapters(made))
    if made.step.product is Product.ADAPTER:
        base = f"AutoModelForCausalLM.from_pretrained({_base(made)!r})"
        model, imports = f"PeftModel.from_pretrained({base}, folder)", "from peft import PeftModel\n"
    else:
        model, imports = "AutoModelForCausalLM.from_pretrained(folder)", ""
    return PYTORCH.format(folder=FOLDER, prompt=prompt, special=special, model=model, imports=imports)


def _adapters(made: Made) -> str:
    """Code that loads all adapters and chooses the first."""
    there = {file.path for file in made.manifest.files}
    names = [name for name in made.adapters or (ALONE,) if adapter_file(name) in there]
    loaded = "".join(LOADED.format(file=adapter_file(name), name=name) for name in names)
    return ADAPTERS.format(loaded=loaded, name=names[0]) if names else ""


def _adapters_note(made: Made) -> str:
    if not made.adapters:
        return ""
    others = ", ".join(f"`{name}`" for name in made.adapters[1:])
    return f"The other adapters: {others}. What each was asked in training lies beside it, in `NAME.prompt.json`."


def _prompt(preprocess: Preprocess | None) -> str:
    """The prompt that the model was trained with, columns in braces."""
    if preprocess is None or preprocess.chat:
        return ANY_PROMPT
    pieces = template_of(preprocess).prompt
    return "".join(piece.render({piece.column: f"{{{piece.column}}}"}) for piece in pieces) or ANY_PROMPT


def _prompt_note(preprocess: Preprocess | None) -> str:
    if preprocess and preprocess.chat:
        return "It was trained on chats: render the messages by its chat template first, as `finetune chat` does."
    if preprocess and template_of(preprocess).prompt:
        return "It was trained with this prompt; what stands in braces is yours to fill in."
    return ""


def _base(made: Made) -> str:
    source = made.spec.input_model.source
    return source.hugging_face.repo if source.hugging_face else made.prepared.base.uri
