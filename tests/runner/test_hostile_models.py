"""A model's author chooses what lies in its directory: none of it is run."""

import json
from pathlib import Path

import pytest

from fake_model import make_fake_model
from finetune_runner.passes.loading import load_tokenizer
from tiny_tokenizer import tiny_tokenizer

CODE = """
from pathlib import Path
Path({trace!r}).touch()
from transformers import PreTrainedTokenizerFast
class Tokenizer(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file that the model's code would make."""
    return tmp_path / "trace"


@pytest.fixture
def model(tmp_path: Path, trace: Path) -> Path:
    """A model whose tokenizer brings code, which its config.json does not tell."""
    folder = make_fake_model(tmp_path / "model")
    (folder / "tokenization_own.py").write_text(CODE.format(trace=str(trace)))
    tiny_tokenizer(bos="<s>", eos="</s>", pad="<pad>", adds_bos=False).save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    own = {"tokenizer_class": "Tokenizer", "auto_map": {"AutoTokenizer": [None, "tokenization_own.Tokenizer"]}}
    settings.write_text(json.dumps(json.loads(settings.read_text()) | own))
    return folder


def test_a_tokenizers_code_is_not_run(model, trace):
    load_tokenizer(model, trust_remote_code=False)
    assert not trace.exists()


def test_with_trust_it_is_so_the_code_is_one_that_could_run(model, trace, monkeypatch, tmp_path):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    load_tokenizer(model, trust_remote_code=True)
    assert trace.exists()
