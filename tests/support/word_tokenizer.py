"""A tokenizer whose tokens are words and line ends, as files: so that tests can spell tokens out. No transformers."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors

MARKS = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"]
WORDS = [*"abcdefghi", "hi", "yes", "no", "more", "Say", "user", "assistant", ":", "\n", " "]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PHI3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
KINDS = {
    "qwen": {"bos_token": None, "eos_token": "<|im_end|>", "chat_template": CHATML},
    "llama": {"bos_token": "<s>", "eos_token": "</s>"},
    "phi": {"bos_token": "<s>", "eos_token": "<|endoftext|>", "chat_template": PHI3},
}


def write_tokenizer(directory: Path, kind: str) -> Path:
    """Tokenizer files of a kind: qwen has no beginning of sequence, llama and phi have one."""
    directory.mkdir(parents=True, exist_ok=True)
    config = KINDS[kind]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate([*MARKS, *WORDS])}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n| "), "isolated")
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    if bos := config["bos_token"]:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory
