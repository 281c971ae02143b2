"""A tokenizer whose tokens are words and line ends, as files: so that tests can spell tokens out. No transformers."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors

MARKS = ["<s>", "</s>", "<unk>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"]
LETTERS = "abcdefghi"
WORDS = [*LETTERS, "hi", "yes", "no", "more", "Say", "user", "assistant", ":", "\n", " "]
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
    "spaced": {"bos_token": "<s>", "eos_token": "</s>"},
    "phi": {"bos_token": "<s>", "eos_token": "<|endoftext|>", "chat_template": PHI3},
}


def write_tokenizer(directory: Path, kind: str) -> Path:
    """Tokenizer files of a kind: qwen has no beginning of sequence, the others have one.

    Of the kind spaced a word's token has the space before it (as Llama 2's has), and the first word a space of its own.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = KINDS[kind]
    words = [*MARKS, *WORDS, "▁", *(f"▁{letter}" for letter in LETTERS)]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    lines = pre_tokenizers.Split(Regex(r"\n| "), "isolated")
    spaces = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([spaces, lines]) if kind == "spaced" else lines
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in MARKS])
    if bos := config["bos_token"]:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    return directory
