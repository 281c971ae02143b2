"""The same rows with a tokenizer that has no beginning of sequence (Qwen) and with those that have (Llama, Phi).

Every expectation is written by hand: a token is a word, _ a space, / a line end; what counts for the loss is in [ ].
"""

import pytest

from spelling import spelled

__all__ = ["spelled"]

PAIR = {"pair": {"inputColumn": "in", "outputColumn": "out"}}
LINES = {"textTemplate": "{in}\n{out}", "joiner": "\n"}
ROWS = [{"in": "a", "out": "b"}, {"in": "c", "out": "d"}, {"in": "e", "out": "f"}]
LONG = [{"in": "a b c d e", "out": "f"}]
CHAT = [
    {
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "more"},
            {"role": "assistant", "content": "no"},
        ]
    }
]
LLAMA = {
    "chat": {
        "chatTemplate": "{{ bos_token }}{% for m in messages %}"
        "{% if m.role == 'user' %}{{ 'user ' + m.content + '\n' }}{% else %}{{ m.content + eos_token }}{% endif %}"
        "{% endfor %}"
    }
}
OWN = {"chat": {}}

CASES = {
    "a pair": {
        "qwen": (ROWS[:1], PAIR, ["a [b] [<|im_end|>]"]),
        "llama": (ROWS[:1], PAIR, ["<s> a [b] [</s>]"]),
        "phi": (ROWS[:1], PAIR, ["<s> a [b] [<|endoftext|>]"]),
    },
    "all of the text": {
        "qwen": (ROWS[:1], LINES | {"loss": "all"}, ["a [/] [b] [<|im_end|>]"]),
        "llama": (ROWS[:1], LINES | {"loss": "all"}, ["<s> [a] [/] [b] [</s>]"]),
        "phi": (ROWS[:1], LINES | {"loss": "all"}, ["<s> [a] [/] [b] [<|endoftext|>]"]),
    },
    "no special tokens": {
        "qwen": (ROWS[:1], LINES | {"addSpecialTokens": False}, ["a / [b]"]),
        "llama": (ROWS[:1], LINES | {"addSpecialTokens": False}, ["a / [b]"]),
        "phi": (ROWS[:1], LINES | {"addSpecialTokens": False}, ["a / [b]"]),
    },
    "a long row": {
        "qwen": (LONG, PAIR | {"maxSeqLen": 8}, ["_ c _ d _ e [f] [<|im_end|>]"]),
        "llama": (LONG, PAIR | {"maxSeqLen": 8}, ["<s> c _ d _ e [f] [</s>]"]),
        "phi": (LONG, PAIR | {"maxSeqLen": 8}, ["<s> c _ d _ e [f] [<|endoftext|>]"]),
    },
    "joined": {
        "qwen": (
            ROWS,
            LINES | {"strategy": "join", "maxSeqLen": 8},
            ["a / [b] [<|im_end|>] / c / [d]", "<|im_end|> / e / [f] [<|im_end|>]"],
        ),
        "llama": (
            ROWS,
            LINES | {"strategy": "join", "maxSeqLen": 9},
            ["<s> a / [b] [</s>] / <s> c /", "d [</s>] / <s> e / [f] [</s>]"],
        ),
        "phi": (
            ROWS,
            LINES | {"strategy": "join", "maxSeqLen": 9},
            ["<s> a / [b] [<|endoftext|>] / <s> c /", "d [<|endoftext|>] / <s> e / [f] [<|endoftext|>]"],
        ),
    },
    "joined, all of the text": {
        "qwen": (
            ROWS[:2],
            LINES | {"strategy": "join", "loss": "all"},
            ["a [/] [b] [<|im_end|>] [/] [c] [/] [d] [<|im_end|>]"],
        ),
        "llama": (
            ROWS[:2],
            LINES | {"strategy": "join", "loss": "all"},
            ["<s> [a] [/] [b] [</s>] [/] [<s>] [c] [/] [d] [</s>]"],
        ),
        "phi": (
            ROWS[:2],
            LINES | {"strategy": "join", "loss": "all"},
            ["<s> [a] [/] [b] [<|endoftext|>] [/] [<s>] [c] [/] [d] [<|endoftext|>]"],
        ),
    },
    "sliding windows": {
        "qwen": (
            ROWS[:2],
            LINES | {"strategy": "join-sliding-window", "maxSeqLen": 8, "stride": 4},
            ["a / [b] [<|im_end|>] / c / [d]", "/ c / d [<|im_end|>]"],
        ),
        "llama": (
            ROWS[:2],
            LINES | {"strategy": "join-sliding-window", "maxSeqLen": 8, "stride": 4},
            ["<s> a / [b] [</s>] / <s> c", "</s> / <s> c / [d] [</s>]"],
        ),
        "phi": (
            ROWS[:2],
            LINES | {"strategy": "join-sliding-window", "maxSeqLen": 8, "stride": 4},
            ["<s> a / [b] [<|endoftext|>] / <s> c", "<|endoftext|> / <s> c / [d] [<|endoftext|>]"],
        ),
    },
    "packed": {
        "qwen": (
            ROWS,
            LINES | {"strategy": "packing", "maxSeqLen": 8},
            ["a / [b] [<|im_end|>] c / [d] [<|im_end|>]", "e / [f] [<|im_end|>]"],
        ),
        "llama": (
            ROWS,
            LINES | {"strategy": "packing", "maxSeqLen": 10},
            ["<s> a / [b] [</s>] <s> c / [d] [</s>]", "<s> e / [f] [</s>]"],
        ),
        "phi": (
            ROWS,
            LINES | {"strategy": "packing", "maxSeqLen": 10},
            ["<s> a / [b] [<|endoftext|>] <s> c / [d] [<|endoftext|>]", "<s> e / [f] [<|endoftext|>]"],
        ),
    },
    "packed, all of the text": {
        "qwen": (
            ROWS[:2],
            LINES | {"strategy": "packing", "loss": "all"},
            ["a [/] [b] [<|im_end|>] c [/] [d] [<|im_end|>]"],
        ),
        "llama": (
            ROWS[:2],
            LINES | {"strategy": "packing", "loss": "all"},
            ["<s> [a] [/] [b] [</s>] <s> [c] [/] [d] [</s>]"],
        ),
        "phi": (
            ROWS[:2],
            LINES | {"strategy": "packing", "loss": "all"},
            ["<s> [a] [/] [b] [<|endoftext|>] <s> [c] [/] [d] [<|endoftext|>]"],
        ),
    },
    "a chat": {
        "qwen": (
            CHAT,
            OWN,
            [
                "<|im_start|> user / hi <|im_end|> / <|im_start|> assistant / [yes] [<|im_end|>] /"
                " <|im_start|> user / more <|im_end|> / <|im_start|> assistant / [no] [<|im_end|>]"
            ],
        ),
        "llama": (CHAT, LLAMA, ["<s> user _ hi / [yes] [</s>] user _ more / [no] [</s>]"]),
        "phi": (
            CHAT,
            OWN,
            [
                "<s> <|user|> / hi <|end|> / <|assistant|> / [yes] [<|end|>] /"
                " <|user|> / more <|end|> / <|assistant|> / [no] [<|end|>] [/] [<|endoftext|>]"
            ],
        ),
    },
    "all of a chat": {
        "qwen": (
            [{"messages": CHAT[0]["messages"][:2]}],
            OWN | {"loss": "all"},
            ["<|im_start|> [user] [/] [hi] [<|im_end|>] [/] [<|im_start|>] [assistant] [/] [yes] [<|im_end|>]"],
        ),
        "llama": (
            CHAT,
            LLAMA | {"loss": "all"},
            ["<s> [user] [_] [hi] [/] [yes] [</s>] [user] [_] [more] [/] [no] [</s>]"],
        ),
        "phi": (
            [{"messages": CHAT[0]["messages"][:2]}],
            OWN | {"loss": "all"},
            ["<s> [<|user|>] [/] [hi] [<|end|>] [/] [<|assistant|>] [/] [yes] [<|end|>] [/] [<|endoftext|>]"],
        ),
    },
    "a long chat": {
        "qwen": (
            CHAT,
            OWN | {"maxSeqLen": 12},
            ["/ <|im_start|> user / more <|im_end|> / <|im_start|> assistant / [no] [<|im_end|>]"],
        ),
        "llama": (CHAT, LLAMA | {"maxSeqLen": 8}, ["<s> [</s>] user _ more / [no] [</s>]"]),
        "phi": (CHAT, OWN | {"maxSeqLen": 8}, ["<s> / <|assistant|> / [no] [<|end|>] [/] [<|endoftext|>]"]),
    },
}


@pytest.mark.parametrize(
    ("kind", "case"), [(kind, case) for case in CASES for kind in CASES[case]], ids=lambda value: value
)
def test_the_tokens_are_those_written_by_hand(spelled, kind, case):
    rows, shape, expected = CASES[case][kind]
    assert spelled(kind, rows, **shape) == expected


def test_positions_of_packed_rows_begin_anew(spelled):
    shape = LINES | {"strategy": "packing", "maxSeqLen": 10}
    positions = {
        kind: [sequence.positions for _, sequence in spelled.with_sequences(kind, ROWS[:2], **shape)]
        for kind in ("qwen", "llama")
    }
    assert positions == {"qwen": [[0, 1, 2, 3, 0, 1, 2, 3]], "llama": [[0, 1, 2, 3, 4, 0, 1, 2, 3, 4]]}


def test_an_answer_is_tokenised_as_what_follows_its_prompt(spelled):
    """By itself it would begin with the space that such a tokenizer puts before a text."""
    assert spelled("spaced", ROWS[:1], **LINES) == ["<s> ▁a / [b] [</s>]"]


def test_a_token_that_would_span_prompt_and_answer_is_split(spelled):
    assert spelled("spaced", ROWS[:1], textTemplate="{in} {out}") == ["<s> ▁a ▁ [▁b] [</s>]"]
