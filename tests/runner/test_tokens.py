"""Examples become tokens: token by token what counts, what begins, what ends."""

import pytest
import torch

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.data import tokens
from finetune_runner.data.examples import Example
from finetune_runner.data.tokens import IGNORED, Encoder
from finetune_runner.training.batches import PadToLongest, by_length, items
from tiny_tokenizer import tiny_tokenizer

PROMPT = "### Text: what a day!\n### The tone is:\n"
EXAMPLE = Example(PROMPT, "joy")


def tokenizer(*, adds_bos: bool):
    return tiny_tokenizer(bos="<s>", eos="<end>", pad="<pad>", adds_bos=adds_bos)


def encoder(*, adds_bos: bool = False, max_seq_len: int = 99, loss: str = "completion") -> Encoder:
    return Encoder.of(tokenizer(adds_bos=adds_bos), max_seq_len, loss)


@pytest.mark.parametrize("adds_bos", [True, False])
def test_beginning_and_end_of_sequence_stand_there_once(adds_bos):
    made = encoder(adds_bos=adds_bos)

    encoded = made.encode(EXAMPLE)

    assert encoded.ids.count(made.tokenizer.bos_token_id) == (1 if adds_bos else 0)
    assert encoded.ids.count(made.tokenizer.eos_token_id) == 1
    assert made.tokenizer.decode(encoded.ids) == ("<s>" if adds_bos else "") + PROMPT + "joy<end>"


@pytest.mark.parametrize("adds_bos", [True, False])
def test_marks_that_the_text_already_has_are_not_doubled(adds_bos):
    made = encoder(adds_bos=adds_bos)

    text = made.tokenizer.decode(made.encode(Example("<s>" + PROMPT, "joy<end>")).ids)

    assert text == "<s>" + PROMPT + "joy<end>"


@pytest.mark.parametrize("adds_bos", [True, False])
def test_generation_sees_the_tokens_that_training_saw(adds_bos):
    made = encoder(adds_bos=adds_bos)

    encoded = made.encode(EXAMPLE)

    assert encoded.prompt == made.tokenizer(PROMPT)["input_ids"]
    assert encoded.ids[: len(encoded.prompt)] == encoded.prompt


@pytest.mark.parametrize("characters", [1, 150, 10_000])
def test_examples_have_the_same_tokens_together_as_alone(characters, monkeypatch):
    monkeypatch.setattr(tokens, "CHARACTERS_AT_ONCE", characters)
    made = encoder(adds_bos=True)
    turns = ((PROMPT, False), ("fear", True), ("\n" + PROMPT, False))
    examples = [Example("", f"tone {n}") for n in range(300)] + [Example("".join(t for t, _ in turns), "joy", turns)]

    assert list(made.encode_all(examples)) == [made.encode(example) for example in examples]
    assert list(made.encode_all([])) == []


def test_no_token_spans_prompt_and_completion():
    made = encoder()
    joint = made.tokenizer(PROMPT)["input_ids"]
    assert made.tokenizer.decode(joint[:1]) == "###"

    encoded = made.encode(Example(PROMPT[:1], PROMPT[1:]))

    assert encoded.prompt == made.tokenizer("#")["input_ids"]
    assert made.tokenizer.decode(encoded.ids) == PROMPT + "<end>"


def test_the_answer_and_the_end_count_and_nothing_else():
    made = encoder(adds_bos=True)

    encoded = made.encode(EXAMPLE)

    counted = [token for token, label in zip(encoded.ids, encoded.labels, strict=True) if label != IGNORED]
    assert counted == [label for label in encoded.labels if label != IGNORED]
    assert made.tokenizer.decode(counted) == "joy<end>"


def test_with_loss_all_everything_counts_but_the_first_token():
    encoded = encoder(loss="all").encode(EXAMPLE)

    assert encoded.labels == [IGNORED, *encoded.ids[1:]]
    assert encoded.prompt != []


def test_without_a_prompt_everything_counts_but_the_first_token():
    encoded = encoder(adds_bos=True).encode(Example("", "just text"))

    assert encoded.labels == [IGNORED, *encoded.ids[1:]]


def test_a_long_row_loses_the_beginning_of_its_prompt():
    made = encoder(adds_bos=True, max_seq_len=14)

    encoded = made.encode(EXAMPLE)

    assert len(encoded.ids) == 14
    assert encoded.ids[0] == made.tokenizer.bos_token_id
    assert (PROMPT + "joy<end>").endswith(made.tokenizer.decode(encoded.ids[1:]))
    assert made.tokenizer.decode(encoded.ids[encoded.completion_start :]) == "joy<end>"


def test_a_completion_too_long_by_itself_is_cut_at_its_end():
    made = encoder(adds_bos=True, max_seq_len=8)

    encoded = made.encode(Example(PROMPT, "joy and nothing else whatsoever"))

    assert len(encoded.ids) == 8
    assert encoded.prompt == [made.tokenizer.bos_token_id]
    assert "joy and nothing else".startswith(made.tokenizer.decode(encoded.ids[1:]))


def test_a_tokenizer_without_an_end_of_sequence_token_is_refused():
    without = tokenizer(adds_bos=False)
    without.eos_token = None

    with pytest.raises(FineTuneError) as caught:
        Encoder.of(without, 99, "completion")
    assert caught.value.reason is Reason.MODEL_UNSUPPORTED


def test_a_batch_is_as_long_as_its_longest_and_padding_never_counts():
    made = encoder()
    encoded = [made.encode(Example("", "a")), made.encode(Example("", "a b c"))]

    batch = PadToLongest(made.tokenizer.pad_token_id)(items(encoded))

    longest = max(len(one.ids) for one in encoded)
    short = len(encoded[0].ids)
    assert {name: tuple(t.shape) for name, t in batch.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "labels"), (2, longest)
    )
    assert batch["attention_mask"].sum(dim=1).tolist() == [short, longest]
    assert batch["labels"][0, short:].tolist() == [IGNORED] * (longest - short)
    assert batch["input_ids"][0, short:].eq(made.tokenizer.pad_token_id).all()


def test_sequences_of_like_length_share_a_batch():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 200, (400,), generator=generator).tolist()
    dataset = [{"input_ids": [0] * length, "labels": []} for length in lengths]

    order = list(by_length(8, dataset, seed=1))

    padded = sum(8 * max(lengths[i] for i in order[at : at + 8]) for at in range(0, 400, 8))
    assert sorted(order) == list(range(400))
    assert sum(lengths) / padded > 0.9
    assert order == list(by_length(8, dataset, seed=1))
    assert order != list(by_length(8, dataset, seed=2))
