"""Token by token: what a training sequence holds, and what of it counts. Expectations are written by hand.

A word is a token; so is a space, written _, and a line end, written /. What counts for the loss stands in brackets.
"""

import pytest

from finetune_api.failures import FineTuneError, Reason
from spelling import spelled

__all__ = ["spelled"]

PAIR = {"pair": {"inputColumn": "in", "outputColumn": "out"}}
CHAT = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "yes"},
    {"role": "user", "content": "more"},
    {"role": "assistant", "content": "no"},
]


TEXT = {"textTemplate": "Say : {in}\n{out}"}
ROW = {"in": "a b", "out": "c"}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("qwen", "Say _ : _ a _ b / [c] [<|im_end|>]"),
        ("llama", "<s> Say _ : _ a _ b / [c] [</s>]"),
        ("phi", "<s> Say _ : _ a _ b / [c] [<|endoftext|>]"),
    ],
)
def test_a_completion_counts_with_its_end_and_a_row_begins_as_its_tokenizer_begins(spelled, kind, expected):
    assert spelled(kind, [ROW], **TEXT) == [expected]


def test_all_counts_but_the_first_token_which_nothing_predicts(spelled):
    assert spelled("llama", [ROW], **PAIR, loss="all") == ["<s> [a] [_] [b] [c] [</s>]"]
    assert spelled("qwen", [ROW], **PAIR, loss="all") == ["a [_] [b] [c] [<|im_end|>]"]


def test_of_a_pair_only_the_output_counts(spelled):
    assert spelled("llama", [ROW], **PAIR) == ["<s> a _ b [c] [</s>]"]


def test_without_special_tokens_there_is_neither_beginning_nor_end(spelled):
    assert spelled("llama", [ROW], **PAIR, addSpecialTokens=False) == ["a _ b [c]"]


def test_marks_that_the_text_has_are_not_doubled(spelled):
    assert spelled("llama", [{"in": "<s>a", "out": "b</s>"}], **PAIR) == ["<s> a [b] [</s>]"]


def test_a_long_row_loses_the_beginning_of_its_prompt_but_not_of_its_sequence(spelled):
    row = {"in": "<s>a b c d e", "out": "f"}

    assert spelled("llama", [row], **PAIR, maxSeqLen=8) == ["<s> c _ d _ e [f] [</s>]"]


ROWS = [{"text": "a b"}, {"text": "c"}, {"text": "d e f"}]
JOINED = {"textColumns": ["text"], "joiner": "\n"}


def test_joined_rows_are_cut_at_max_seq_len_and_the_tail_is_kept(spelled):
    assert spelled("llama", ROWS, **JOINED, strategy="join", maxSeqLen=9) == [
        "<s> [a] [_] [b] [</s>] / <s> [c] [</s>]",
        "/ <s> [d] [_] [e] [_] [f] [</s>]",
    ]


def test_with_loss_all_the_joiner_counts_too(spelled):
    assert spelled("qwen", ROWS[:2], **JOINED, strategy="join", maxSeqLen=32, loss="all") == [
        "a [_] [b] [<|im_end|>] [/] [c] [<|im_end|>]"
    ]


def test_a_corpus_shorter_than_a_sequence_is_one(spelled):
    assert spelled("qwen", ROWS[1:2], **JOINED, strategy="join", maxSeqLen=1024) == ["c [<|im_end|>]"]


def test_a_sliding_windows_context_does_not_count_twice(spelled):
    found = spelled("qwen", [{"text": "a b c d e"}], **JOINED, strategy="join-sliding-window", maxSeqLen=8, stride=3)

    assert found == ["a [_] [b] [_] [c] [_] [d] [_]", "_ c _ d _ [e] [<|im_end|>]"]


def test_random_sequences_begin_at_rows_and_are_the_same_with_one_seed(spelled):
    rows = [{"text": f"{word} a b c d e"} for word in "fghi"]
    several = [spelled("qwen", rows, **JOINED, strategy="join-random", maxSeqLen=8, randomSeed=s) for s in (1, 1, 2, 3)]

    assert all(text.split()[0] in "fghi" and len(text.split()) == 8 for texts in several for text in texts)
    assert len(several[0]) == 7
    assert several[0] == several[1]
    assert len({tuple(texts) for texts in several}) > 1


def test_packed_rows_stay_whole_and_their_positions_restart(spelled):
    [(text, sequence), (rest, _)] = spelled.with_sequences(
        "llama", ROWS, textColumns=["text"], strategy="packing", maxSeqLen=8
    )

    assert text == "<s> [a] [_] [b] [</s>] <s> [c] [</s>]"
    assert sequence.positions == [0, 1, 2, 3, 4, 0, 1, 2]
    assert rest == "<s> [d] [_] [e] [_] [f] [</s>]"


def test_short_sequences_can_be_left_out(spelled):
    assert spelled("qwen", ROWS, **JOINED, strategy="join", maxSeqLen=8, dropShortSequences=True) == [
        "a [_] [b] [<|im_end|>] / c [<|im_end|>] /"
    ]


def test_of_a_chat_the_assistants_turns_count_with_their_end_marks(spelled):
    turn = "<|im_start|> user / {} <|im_end|> / <|im_start|> assistant / [{}] [<|im_end|>]"

    assert spelled("qwen", [{"messages": CHAT}], chat={}) == [
        f"{turn.format('hi', 'yes')} / {turn.format('more', 'no')}"
    ]


def test_a_chat_whose_template_writes_beginning_and_end_has_each_once(spelled):
    assert spelled("phi", [{"messages": CHAT}], chat={}) == [
        "<s> <|user|> / hi <|end|> / <|assistant|> / [yes] [<|end|>] /"
        " <|user|> / more <|end|> / <|assistant|> / [no] [<|end|>] [/] [<|endoftext|>]"
    ]


def test_what_a_template_marks_as_generated_counts(spelled):
    template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<|assistant|>' }}"
        "{% generation %}{{ m.content + '<|end|>' }}{% endgeneration %}"
        "{% else %}{{ m.role + m.content }}{% endif %}{% endfor %}"
    )
    found = spelled(
        "qwen", [{"messages": [{"role": "user", "content": " hi"}, CHAT[1]]}], chat={"chatTemplate": template}
    )

    assert found == ["user _ hi <|assistant|> [yes] [<|end|>]"]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ("hi", "is not a list of messages"),
        ([], "is not a list of messages"),
        ([{"from": "human", "value": "hi"}], "message 1 has no role"),
        ([{"role": "user", "content": None}], "message 1 has no text"),
        ([{"role": "user", "content": "hi"}], "no turn of the assistant"),
    ],
)
def test_what_is_no_conversation_is_refused_with_row_and_reason(spelled, messages, why):
    with pytest.raises(FineTuneError, match=why) as caught:
        spelled("qwen", [{"messages": CHAT}, {"messages": messages}], chat={})
    assert caught.value.reason is Reason.DATASET_INVALID
    assert "row 2" in caught.value.message


def test_a_template_that_rewrites_earlier_turns_is_refused_with_the_way_out(spelled):
    template = "{% for m in messages %}{{ m.role + (m.content if loop.last else '') }}{% endfor %}"
    with pytest.raises(FineTuneError, match=r"\{% generation %\}"):
        spelled("qwen", [{"messages": CHAT}], chat={"chatTemplate": template})


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{% set _ = messages.append({'role': 'assistant', 'content': 'x'}) %}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_template_cannot_reach_into_python(spelled, template):
    with pytest.raises(FineTuneError, match="refused by the chat template"):
        spelled("qwen", [{"messages": CHAT}], chat={"chatTemplate": template})


def test_a_model_without_a_chat_template_is_refused(spelled):
    with pytest.raises(FineTuneError, match="no chat template"):
        spelled("llama", [{"messages": CHAT}], chat={})
