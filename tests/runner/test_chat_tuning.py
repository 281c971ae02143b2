"""A chat tuned on a base that knows no chats: it stops where an answer ends, is scored so, and keeps its template."""

import json
import shutil

import pytest
from tokenizers import AddedToken
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.plan import Product
from finetune_api.resource.data import DataConfig
from finetune_runner.artifact.stop_tokens import stop_tokens
from finetune_runner.passes.contract import DataSet
from passes import ROWS, evaluate, extract, lora, merge, tune

pytestmark = pytest.mark.usefixtures("builder_here")

BEGIN, END = "<|im_start|>", "<|im_end|>"
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
STEPS = {"maxSteps": 100, "learningRate": 0.01, "perDeviceTrainBatchSize": 6, "lrSchedulerType": "linear"}


def said(role, text):
    return {"role": role, "content": text}


def chats():
    rows = [
        {"messages": [{"role": "user", "content": r["phrase"]}, {"role": "assistant", "content": r["tone"]}]}
        for r in ROWS
    ]
    preprocess = {"chat": {"chatTemplate": CHATML}}
    source = {"s3": {"uri": "s3://data/chats.jsonl"}}
    return DataSet(DataConfig.model_validate({"name": "tones", "source": source, "preprocess": preprocess}), rows)


@pytest.fixture(scope="module")
def base(tiny_phi3, tmp_path_factory):
    """A model whose tokenizer has the marks of a chat, but no template, and which ends texts otherwise."""
    folder = tmp_path_factory.mktemp("chat") / "base"
    shutil.copytree(tiny_phi3, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens([AddedToken(mark, special=True) for mark in (BEGIN, END)], special_tokens=True)
    tokenizer.save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tuned(base, tmp_path_factory):
    work = tmp_path_factory.mktemp("tuned")
    tune(base, work / "adapter", lora(training=STEPS), train=chats())
    merge(work / "adapter", base, work / "model")
    return work


def end(folder):
    return AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(END)


@pytest.mark.parametrize("form", ["adapter", "model"])
def test_an_answer_ends_at_the_templates_mark_and_counts_without_it(base, tuned, form, tmp_path):
    product = Product.ADAPTER if form == "adapter" else Product.MODEL
    found = evaluate(
        tuned / form, tmp_path / "figures", product, base=base if form == "adapter" else None, test=chats()
    )

    assert float(found.metrics["accuracy"]) == 1
    details = json.loads((tmp_path / "figures/metrics.json").read_text())["details"]["accuracy"]
    assert {answer["expected"] for answer in details["answers"]} == {"joy", "sadness", "fear", "surprise"}


@pytest.mark.parametrize("form", ["adapter", "model"])
def test_template_and_mark_travel_with_what_is_made(base, tuned, form):
    assert end(base) not in stop_tokens(base, 0)
    assert end(base) in stop_tokens(tuned / form, 0)
    assert AutoTokenizer.from_pretrained(tuned / form).chat_template == CHATML


def test_an_exported_base_stops_where_its_adapter_was_tuned_to(base, tuned, tmp_path):
    extract(tuned / "adapter", base, tmp_path / "onnx", precision="fp32")

    genai = json.loads((tmp_path / "onnx/genai_config.json").read_text())
    assert end(base) in genai["model"]["eos_token_id"]
