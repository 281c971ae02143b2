"""Export: a model becomes an ONNX model that says the same."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import onnx_ir
import onnxruntime_genai as og
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.passes.child_process import ChildFailedError, ChildSilentError, run_logged
from finetune_runner.passes.exporting import builder_process
from passes import Reported, export, export_here

TEXT = "### Text: something is scratching at the door, and I can't stop smiling.\n### The tone is:\n"


def onnx_logits(directory, ids):
    model = og.Model(str(directory))
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=128)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.array(ids, dtype=np.int32))
    return torch.tensor(generator.get_output("logits")[0])


def greedy(directory, ids, steps):
    model = AutoModelForCausalLM.from_pretrained(directory)
    output = model.generate(torch.tensor([ids]), max_new_tokens=steps, min_new_tokens=steps, do_sample=False)
    return output[0, len(ids) :].tolist()


def onnx_greedy(directory, ids, steps):
    model = og.Model(str(directory))
    parameters = og.GeneratorParams(model)
    parameters.set_search_options(max_length=len(ids) + steps, min_length=len(ids) + steps, do_sample=False)
    generator = og.Generator(model, parameters)
    generator.append_tokens(np.array(ids, dtype=np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return generator.get_sequence(0)[len(ids) :].tolist()


@pytest.mark.parametrize("name", ["tiny_phi3", "tiny_gemma3"])
def test_an_fp32_graph_agrees_with_the_model(name, request):
    model, onnx = request.getfixturevalue(name), request.getfixturevalue(f"{name}_onnx")
    ids = AutoTokenizer.from_pretrained(model)(TEXT)["input_ids"]

    expected = AutoModelForCausalLM.from_pretrained(model)(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(onnx_logits(onnx, ids), expected, rtol=1e-3, atol=1e-3)
    assert onnx_greedy(onnx, ids, 12) == greedy(model, ids, 12)


@pytest.fixture(scope="module", params=["k_quant", "rtn"])
def int4(request, tiny_phi3, tmp_path_factory):
    work = tmp_path_factory.mktemp("int4")
    model = shutil.copytree(tiny_phi3, work / "model")
    (model / "prompt.json").write_text('{"textTemplate": "{a} {b}"}')
    report = Reported()
    result = export(model, work / "onnx", report, algorithm=request.param)
    return work / "onnx", report, result


def test_it_was_seen_to_run(int4):
    assert int4[2].verified_on == "CPUExecutionProvider"


def test_an_int4_graph_says_nearly_the_same(int4, tiny_phi3):
    ids = AutoTokenizer.from_pretrained(tiny_phi3)(TEXT)["input_ids"]
    expected = AutoModelForCausalLM.from_pretrained(tiny_phi3)(torch.tensor([ids])).logits[0]

    similarity = torch.cosine_similarity(onnx_logits(int4[0], ids), expected, dim=-1)

    assert similarity.min() > 0.9


def test_its_own_tokenizer_makes_the_same_tokens(int4, tiny_phi3):
    tokens = og.Tokenizer(og.Model(str(int4[0]))).encode(TEXT).tolist()

    assert tokens == AutoTokenizer.from_pretrained(tiny_phi3)(TEXT)["input_ids"]
    assert tokens == AutoTokenizer.from_pretrained(int4[0])(TEXT)["input_ids"]


def test_progress_is_told_until_the_end(int4):
    steps = [said["step"] for said in int4[1].steps]

    assert steps == sorted(steps)
    assert steps[-1] == int4[1].steps[-1]["total_steps"] == 100


def test_the_size_is_a_headline(int4):
    output, _, result = int4

    assert float(result.metrics["sizeMB"]) == pytest.approx(
        sum(f.stat().st_size for f in output.iterdir()) / 1e6, abs=0.1
    )


def test_a_shared_embedding_is_kept_once_and_in_int4(tiny_gemma3, tmp_path):
    export_here(tiny_gemma3, tmp_path / "int4")

    weights = onnx_ir.load(tmp_path / "int4" / "model.onnx").graph.initializers.values()
    of_vocabulary = [w for w in weights if w.shape[0] == 320 and w.dtype.itemsize * math.prod(w.shape) > 320 * 64 / 2]
    assert [weight.name for weight in of_vocabulary] == []


def test_the_model_names_the_builders_commit_and_not_that_of_a_checkout_around_it(int4):
    produced = onnx_ir.load(int4[0] / "model.onnx").producer_version
    assert produced == f"{og.__version__}+{og.__commit__[:7]}"


def test_the_prompts_template_travels_along(int4):
    assert json.loads((int4[0] / "prompt.json").read_text()) == {"textTemplate": "{a} {b}"}


def test_a_model_that_the_builder_does_not_know_fails_with_its_words(tiny_phi3, tmp_path):
    model = shutil.copytree(tiny_phi3, tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchForCausalLM"]}))

    with pytest.raises(FineTuneError) as caught:
        export(model, tmp_path / "onnx")

    assert caught.value.reason is Reason.EXPORT_FAILED
    assert caught.value.path == "spec.passes[2].modelBuilder"
    assert "is not currently supported" in caught.value.message


def lines_of(code: str) -> list[str]:
    lines: list[str] = []
    run_logged([sys.executable, "-c", code], {}, lines.append)
    return lines


def test_a_childs_lines_are_read_as_they_come():
    assert lines_of("import sys; print('a'); print('b\\rc', file=sys.stderr)") in (["a", "b", "c"], ["b", "c", "a"])


@pytest.mark.parametrize(
    ("end", "status"),
    [("import sys; sys.exit(3)", 3), ("import os; os.abort()", -signal.SIGABRT)],
    ids=["exit", "abort"],
)
def test_a_child_that_fails_tells_how_and_its_last_lines(end, status):
    with pytest.raises(ChildFailedError) as caught:
        lines_of(f"print('about to fail', flush=True); {end}")

    assert caught.value.status == status
    assert caught.value.tail[-1] == "about to fail"


SLEEPS = "import time; print('before', flush=True); time.sleep(600)"


def test_a_child_that_says_nothing_is_ended():
    with pytest.raises(ChildSilentError, match=r"said nothing for 0\.5 seconds") as caught:
        run_logged([sys.executable, "-c", SLEEPS], {}, lambda line: None, silent_seconds=0.5)

    assert caught.value.status == -signal.SIGTERM


MEMORY, FAILED = Reason.OUT_OF_HOST_MEMORY, Reason.EXPORT_FAILED
ENDINGS = {
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", MEMORY, "most likely for its memory"),
    "aborts": ("os.abort()", FAILED, "ended with signal 6: about to"),
    "hangs": ("time.sleep(600)", FAILED, "said nothing for 2 seconds and was ended: about to"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_builder_that_ends_badly_gives_a_reason(ending, tiny_phi3, tmp_path, monkeypatch):
    does, reason, words = ENDINGS[ending]
    (tmp_path / "bad_builder.py").write_text(f"import os, signal, time\nprint('about to', flush=True)\n{does}\n")
    monkeypatch.setattr(builder_process, "CHILD", "bad_builder")
    monkeypatch.setattr(builder_process, "SURROUNDINGS", {"PYTHONPATH": str(tmp_path)})
    monkeypatch.setattr(builder_process, "SILENT_SECONDS", 2)

    with pytest.raises(FineTuneError) as caught:
        export(tiny_phi3, tmp_path / "onnx")

    assert caught.value.reason is reason
    assert words in caught.value.message


def test_a_child_never_outlives_an_interruption():
    child: list[int] = []

    def interrupt(line: str) -> None:
        child.append(int(line))
        raise KeyboardInterrupt

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        run_logged([sys.executable, "-c", code], {}, interrupt)

    with pytest.raises(ProcessLookupError):
        os.kill(child[0], 0)


def test_sigterm_while_exporting_ends_the_builder_too(tiny_phi3, tmp_path):
    code = """
import sys
from finetune_runner.ending.interruption import Interrupted, raise_on_sigterm
from finetune_runner.passes.child_process import run_logged
raise_on_sigterm()
try:
    run_logged([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"], {}, print)
except Interrupted:
    sys.exit(143)
"""
    parent = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=subprocess.PIPE, text=True)
    watchdog = threading.Timer(60, parent.kill)
    watchdog.start()
    try:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGTERM)
        assert parent.wait() == 143
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    finally:
        watchdog.cancel()
        parent.stdout.close()
