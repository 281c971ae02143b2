"""finetune preview shows the tokens and labels that training reads. A word is a token, so is a space or a line end."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from command_line import finetune, run_process
from finetune_api import API_VERSION, KIND
from finetune_api.failures import EXIT_CODES, FineTuneError, Reason
from finetune_api.resource.job import FineTuneJobSpec
from finetune_cli.local.pod_root import Mapped
from finetune_cli.local.previewing import previewed, subject_of
from finetune_runner.passes.contract import EVAL_DATA, TRAIN_DATA, DataSet
from finetune_runner.passes.loading import load_tokenizer
from finetune_runner.training.rows import training_rows
from passes import inputs
from word_tokenizer import write_tokenizer

__all__ = ["finetune"]

ROWS = [{"in": f"{a} {b}", "out": b} for a in "abcd" for b in "efg"] + [{"in": "a e", "out": "e"}]
HELD_OUT = [{"in": "h", "out": "i"}, {"in": "h i", "out": "a"}]
CHATS = [
    {"messages": [{"role": "user", "content": f"hi {a}"}, {"role": "assistant", "content": "yes"}]} for a in "abcde"
]
TEMPLATE = {"textTemplate": "Say : {in}\n{out}"}
SHAPES = {
    "line-by-line": TEMPLATE,
    "cut": TEMPLATE | {"maxSeqLen": 8},
    "everything": TEMPLATE | {"loss": "all"},
    "pair": {"pair": {"inputColumn": "in", "outputColumn": "out"}},
    "join": TEMPLATE | {"strategy": "join", "maxSeqLen": 16},
    "join-random": TEMPLATE | {"strategy": "join-random", "maxSeqLen": 16},
    "windows": TEMPLATE | {"strategy": "join-sliding-window", "maxSeqLen": 16, "stride": 5},
    "packing": TEMPLATE | {"strategy": "packing", "maxSeqLen": 32},
}


def manifest(passes=None, **preprocess):
    volume = {"claimName": "here"}
    configs = [
        {"name": name, "source": {"volume": volume | {"path": f"{name}.jsonl"}}, "preprocess": preprocess or TEMPLATE}
        for name in ("train", "held-out")
    ]
    return {
        "inputModel": {"source": {"volume": volume | {"path": "model"}}},
        "dataConfigs": configs,
        "systems": [{"name": "cpu"}],
        "passes": passes or [{"name": "tune", "lora": {"trainData": "train", "evalFraction": 0.3}}],
    }


@pytest.fixture
def folder(tmp_path):
    """A folder with rows, and the tokenizer (no weights) of a Llama-like model."""
    write_tokenizer(tmp_path / "model", "llama")
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "held-out.jsonl").write_text("".join(json.dumps(row) + "\n" for row in HELD_OUT))
    return tmp_path


def command(folder: Path, *options: str, **parts) -> list[str]:
    job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}, "spec": manifest(**parts)}
    (folder / "job.yaml").write_text(yaml.safe_dump(job))
    return ["preview", str(folder / "job.yaml"), f"--mount=here={folder}", *options]


def shown(spec: FineTuneJobSpec, folder: Path):
    """What a preview shows of the job's tuning pass."""
    mapped = Mapped({"here": folder}, {}, {})
    found = previewed(spec, subject_of(spec, step="", data=""), mapped, 999)
    return [(sample.ids, sample.labels) for sample in found.samples], found


def trained(spec: FineTuneJobSpec, folder: Path, scratch: Path):
    """What the trainer's dataset yields in that pass."""
    config, by_name = spec.passes[0].config, {"train": ROWS, "held-out": HELD_OUT}
    if spec.data_configs[0].preprocess.chat:
        by_name["train"] = CHATS
    sets = {one.name: DataSet(one, by_name[one.name]) for one in spec.data_configs}
    data = {TRAIN_DATA: sets["train"]} | ({EVAL_DATA: sets["held-out"]} if config.eval_data else {})
    tokenizer = load_tokenizer(folder / "model", trust_remote_code=False)
    made = training_rows(config, inputs(folder / "model", scratch / "out", data=data), tokenizer, scratch)
    return [(item["input_ids"], item["labels"]) for item in made.train], made


@pytest.mark.parametrize("kind", ["qwen", "llama", "phi"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_shows_what_the_trainers_dataset_yields(folder, kind, shape, tmp_path_factory):
    write_tokenizer(folder / "model", kind)
    spec = FineTuneJobSpec.model_validate(manifest(**shape))

    seen, found = shown(spec, folder)
    expected, made = trained(spec, folder, tmp_path_factory.mktemp("scratch"))

    assert seen == expected
    assert found.statistics == made.statistics
    assert found.held_out.sequences == len(made.held_out) > 0
    assert found.held_out.tokens == sum(made.held_out.lengths)


@pytest.mark.parametrize("kind", ["qwen", "phi"])
def test_it_shows_the_chats_that_training_reads(folder, kind, tmp_path_factory):
    write_tokenizer(folder / "model", kind)
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CHATS))
    spec = FineTuneJobSpec.model_validate(manifest(chat={}))

    assert shown(spec, folder)[0] == trained(spec, folder, tmp_path_factory.mktemp("scratch"))[0] != []


def test_it_has_the_tokenizer_that_transformers_makes_of_the_files(folder, tmp_path_factory):
    """A class that rebuilds its tokenizer from the vocabulary gives other tokens than tokenizer.json says."""
    settings = folder / "model" / "tokenizer_config.json"
    as_written = shown(FineTuneJobSpec.model_validate(manifest()), folder)[0]
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"tokenizer_class": "LlamaTokenizer"}))
    spec = FineTuneJobSpec.model_validate(manifest())

    rebuilt = shown(spec, folder)[0]

    assert rebuilt != as_written
    assert rebuilt == trained(spec, folder, tmp_path_factory.mktemp("scratch"))[0]


def test_it_finds_the_tokenizer_in_what_mlflow_has_written(folder):
    expected = shown(FineTuneJobSpec.model_validate(manifest()), folder)[0]
    (folder / "mlflow/components").mkdir(parents=True)
    (folder / "model").rename(folder / "mlflow/components/tokenizer")
    (folder / "mlflow").rename(folder / "model")
    (folder / "model/MLmodel").write_text("flavors: {transformers: {model_binary: model}}")
    assert shown(FineTuneJobSpec.model_validate(manifest()), folder)[0] == expected


def test_it_finds_the_tokenizer_beside_a_gguf_file_and_says_so_where_there_is_none(folder):
    expected = shown(FineTuneJobSpec.model_validate(manifest()), folder)[0]
    (folder / "model/phi.gguf").write_bytes(b"GGUF")
    assert shown(FineTuneJobSpec.model_validate(manifest()), folder)[0] == expected

    (folder / "model/tokenizer.json").unlink()
    with pytest.raises(FineTuneError, match=r"lies in its \.gguf file") as caught:
        shown(FineTuneJobSpec.model_validate(manifest()), folder)
    assert "beside the .gguf file" in caught.value.remedy


def test_rows_of_eval_data_are_held_out(folder, tmp_path_factory):
    passes = [{"name": "tune", "lora": {"trainData": "train", "evalData": "held-out"}}]
    spec = FineTuneJobSpec.model_validate(manifest(passes))

    seen, found = shown(spec, folder)
    expected, made = trained(spec, folder, tmp_path_factory.mktemp("scratch"))

    assert seen == expected
    assert (found.held_out.sequences, found.held_out.tokens) == (2, sum(made.held_out.lengths))


def test_without_a_terminal_what_counts_stands_between_marks(finetune, folder):
    ended = finetune(*command(folder, "--data=train", "--rows=2"))

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == (
        "── sequence 1 of 12: 11 tokens, 2 count for the loss\n"
        "<s>Say : a e\n⟦e</s>⟧\n"
        "── sequence 2 of 12: 11 tokens, 2 count for the loss\n"
        "<s>Say : a f\n⟦f</s>⟧\n"
        "──\n"
        "rows       13: 12 used, 1 duplicate, 0 held out, 0 cut to maxSeqLen\n"
        "sequences  12: 132 tokens, 24 of them count for the loss\n"
    )


def test_a_pass_tells_what_it_holds_out(finetune, folder):
    ended = finetune(*command(folder, "--rows=0"))

    assert ended.out == (
        "rows       13: 8 used, 1 duplicate, 4 held out, 0 cut to maxSeqLen\n"
        "sequences  8: 88 tokens, 16 of them count for the loss\n"
        "held out   4: 44 tokens, 8 of them count for the loss\n"
    )


def test_packed_rows_are_told_apart(finetune, folder):
    ended = finetune(*command(folder, "--data=held-out", **SHAPES["packing"]))

    assert "Say : h\n⟦i</s>⟧\n┄┄ packed beside it, unseen by the row above ┄┄\n<s>Say : h i\n⟦a</s>⟧\n" in ended.out


def test_on_a_terminal_what_counts_has_a_colour(folder):
    leader, follower = pty.openpty()
    program = [sys.executable, "-m", "finetune_cli", *command(folder, "--data=held-out", "--rows=1")]
    subprocess.run(program, stdout=follower, check=True, env={**os.environ, "TERM": "xterm", "COLUMNS": "80"})
    os.close(follower)

    out = os.read(leader, 65536).decode().replace("\r\n", "\n")

    assert "<s>Say : h\n\x1b[1;32mi</s>\x1b[0m\n" in out
    assert "⟦" not in out


def test_no_torch_is_imported_and_nothing_is_left(folder, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("tmp")
    program = (
        "import sys\nfrom finetune_cli.__main__ import main\n"
        f"code = main({command(folder)!r})\n"
        "print(code, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "TMPDIR": str(scratch)}
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment
    )

    assert (ended.stdout.splitlines()[-1], ended.stderr) == ("0 False", "")
    assert not list(scratch.iterdir())


def test_a_wrong_row_is_named_as_the_job_would(finetune, folder):
    (folder / "train.jsonl").write_text('{"in": "a"}\n')
    ended = finetune(*command(folder))
    assert ended.code == EXIT_CODES[Reason.DATASET_INVALID]
    assert "spec.dataConfigs" in ended.err
    assert "line 1 of train.jsonl: no column 'out'" in ended.err


def test_neither_store_nor_outputs_secret_is_asked_for(folder, finetune):
    command(folder)
    job = yaml.safe_load((folder / "job.yaml").read_text())
    job["spec"]["store"] = {"s3": {"uri": "s3://models/x", "credentialsSecretRef": {"name": "nowhere"}}}
    (folder / "job.yaml").write_text(yaml.safe_dump(job))

    assert finetune("preview", folder / "job.yaml", f"--mount=here={folder}").code == 0


def test_a_model_whose_tokenizer_cannot_be_read_is_refused(folder):
    (folder / "model" / "tokenizer.json").write_text("{")
    ended = run_process(*command(folder))
    assert (ended.code, ended.is_bug) == (EXIT_CODES[Reason.MODEL_UNSUPPORTED], False), ended.err
