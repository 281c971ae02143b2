"""A chat template renders in training as transformers, and whoever runs the model by it, renders it."""

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from finetune_runner.data.chat import ChatTemplate

CALL = {"name": "weather", "arguments": {"town": "Zürich <b>", "days": [1, 2]}}
CONVERSATION = [
    {"role": "user", "content": "And tomorrow?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
]


@pytest.mark.parametrize(
    "arguments",
    ["", "(indent=2)", "(separators=(',', ':'))", "(sort_keys=true)", "(ensure_ascii=true)", "(false, 2, (',', '='))"],
)
def test_values_are_written_as_json_with_all_that_a_template_may_ask_for(arguments):
    source = "{% for m in messages if m.tool_calls %}{{ m.tool_calls | tojson" + arguments + " }}{% endfor %}"
    (expected,), _ = render_jinja_template([CONVERSATION], chat_template=source)
    assert ChatTemplate(source, bos="", eos="", path="chat").render(CONVERSATION) == expected


def test_a_template_may_make_dictionaries_and_keep_values_between_turns():
    loop = "{% for m in messages %}{% set said.last = m %}{% endfor %}"
    source = "{% set said = namespace(last=dict(role='none')) %}" + loop + "{{ said.last.role }}"
    (expected,), _ = render_jinja_template([CONVERSATION], chat_template=source)
    assert ChatTemplate(source, bos="", eos="", path="chat").render(CONVERSATION) == expected == "assistant"
