"""Taking rows through a model: answers and losses of one walk are those of two, and a right answer needs no second."""

import dataclasses

import pytest
import torch

from finetune_runner.artifact.runtime import Runtime
from finetune_runner.data.tokens import Encoded
from finetune_runner.passes.evaluation.model_under_test import up_to_stop
from finetune_runner.passes.evaluation.onnx import OnnxModel
from finetune_runner.passes.evaluation.pytorch import load_pytorch
from finetune_runner.passes.evaluation.walk import Asked, walk
from passes import export_here

NONE = frozenset[int]()
PROMPT = [5, 6, 7, 8, 9]
NEW_TOKENS = 6


def row(completion, prompt=PROMPT, counts=None):
    return Encoded([*prompt, *completion], len(prompt), counts or [False] * len(prompt) + [True] * len(completion))


@pytest.fixture(scope="module", params=["tiny_phi3", "tiny_gemma3"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def onnx(family, request):
    return request.getfixturevalue(f"{family}_onnx")


@pytest.fixture(scope="module")
def pruned(family, request, tmp_path_factory):
    """The same, exported so that a prompt's last token alone gets logits."""
    directory = tmp_path_factory.mktemp("pruned") / "onnx"
    export_here(request.getfixturevalue(family), directory, precision="fp32", extraOptions={"prune_lm_head": "true"})
    return directory


@pytest.fixture(scope="module")
def written(onnx):
    """What the model writes after the prompt."""
    [answer] = OnnxModel(onnx, NONE).generate([PROMPT], NEW_TOKENS)
    return answer


@pytest.fixture
def prompts(monkeypatch):
    """What was read by the runtime, prompt by prompt."""
    read = []
    generator = Runtime.generator

    def watched(self, prompt, limit, **named):
        read.append(list(prompt))
        return generator(self, prompt, limit, **named)

    monkeypatch.setattr(Runtime, "generator", watched)
    return read


def other(token):
    return 10 if token != 10 else 11


ROWS = {
    "right": lambda written: row(written[:4]),
    "right but for its last token": lambda written: row([*written[:3], other(written[3])]),
    "wrong from the first": lambda written: row([other(written[0]), *written[1:4]]),
    "wrong in the middle": lambda written: row([*written[:2], other(written[2]), written[3]]),
    "longer than an answer may be": lambda written: row([*written, *written]),
    "counted in its prompt, too": lambda written: row(written[:4], counts=[False] + [True] * (len(PROMPT) + 3)),
    "counted in part": lambda written: row(written[:4], counts=[False] * len(PROMPT) + [True, False, True, False]),
    "counted nowhere": lambda written: row(written[:4], counts=[False] * (len(PROMPT) + 4)),
}


@pytest.mark.parametrize("name", ROWS)
def test_one_walk_of_an_onnx_model_tells_what_two_tell(name, onnx, written):
    model, asked = OnnxModel(onnx, NONE), ROWS[name](written)

    [(answer, logits)] = model.answers_and_logits([asked], NEW_TOKENS)

    assert answer == written
    [alone] = model.logits([asked])
    assert logits.shape == alone.shape == (sum(asked.counts), alone.shape[-1])
    torch.testing.assert_close(logits, alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_read_again_only_where_its_answer_does_not_tell_its_loss(name, onnx, written, prompts):
    asked = ROWS[name](written)

    [_] = OnnxModel(onnx, NONE).answers_and_logits([asked], NEW_TOKENS)

    once = name in ("right", "right but for its last token", "counted in part")
    assert prompts == ([PROMPT] if once else [PROMPT, asked.ids])


def test_an_answer_that_ends_as_expected_is_read_once(onnx, written, prompts):
    """The token that ends it counts, and is no part of the answer."""
    stop = frozenset(written[2:3])
    ends = up_to_stop(written, stop)
    model = OnnxModel(onnx, stop)

    [(answer, logits)] = model.answers_and_logits([row([*ends, written[len(ends)]])], NEW_TOKENS)

    assert answer == ends
    assert prompts == [PROMPT]
    assert len(logits) == len(ends) + 1


@pytest.mark.parametrize(("loss", "new_tokens"), [(False, NEW_TOKENS), (True, 0), (True, NEW_TOKENS)])
@pytest.mark.parametrize("compared", [False, True])
def test_a_walk_finds_what_is_asked_for(loss, new_tokens, compared, tiny_phi3):
    model = load_pytorch(tiny_phi3, None, stop=NONE, pad=0, accelerator=False, trust_remote_code=False)
    rows = [row([20, 21, 22]), row([30], prompt=[9, 8, 7])]

    found = list(walk(model, model if compared else None, rows, Asked(new_tokens, loss)))

    expected = model.generate([each.prompt for each in rows], new_tokens) if new_tokens else [(), ()]
    assert [each.written for each in found] == expected
    losses = model.losses(rows) if loss else [None, None]
    for each, wanted in zip(found, losses, strict=True):
        assert each.loss == (wanted and dataclasses.replace(wanted, total=pytest.approx(wanted.total, rel=1e-4)))
        assert (each.comparison is not None) == (loss and compared)
        if each.comparison:
            assert each.comparison.divergence == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", ROWS)
def test_a_graph_that_tells_of_a_prompts_last_token_only_is_measured_like_any(name, onnx, pruned, written):
    asked = ROWS[name](written)
    model = OnnxModel(pruned, NONE)

    [(answer, logits)] = model.answers_and_logits([asked], NEW_TOKENS)

    assert answer == written
    [whole] = OnnxModel(onnx, NONE).logits([asked])
    torch.testing.assert_close(logits, whole, rtol=1e-3, atol=1e-3)
