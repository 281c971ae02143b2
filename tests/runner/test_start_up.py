"""The program starts quickly: it imports what a command needs, when it needs it."""

import subprocess
import sys

from command_line import REPOSITORY
from finetune_cli.app import COMMANDS

TONE = str(REPOSITORY / "examples" / "tone.yaml")
OLIVE = str(REPOSITORY / "examples" / "olive" / "olive-config.json")
HEAVY = (
    *("torch", "transformers", "numpy", "boto3", "huggingface_hub", "pyarrow", "tokenizers", "jinja2"),
    *("rich", "kopf", "kubernetes", "finetune_operator", "finetune_runner"),
)
OTHERS = [name for name in COMMANDS if name != "passes"]  # which loads what is installed beside it
QUICK = [["--help"], ["validate", TONE], ["import", OLIVE], ["schema"], *([name, "--help"] for name in OTHERS)]
PROGRAM = f"""
import sys
from finetune_cli.__main__ import main

for arguments in {QUICK!r}:
    code = main(arguments)
    print("ended", code, arguments, [name for name in {HEAVY!r} if name in sys.modules])
"""


def test_no_quick_command_imports_anything_heavy():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ends = [line for line in ended.stdout.splitlines() if line.startswith("ended")]
    assert ends == [f"ended 0 {arguments} []" for arguments in QUICK], ended.stderr
