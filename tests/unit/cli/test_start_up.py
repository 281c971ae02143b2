"""The program starts quickly: it imports what a command needs, when it needs it."""

import subprocess
import sys

import pytest

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


@pytest.mark.parametrize("arguments", QUICK, ids=lambda arguments: " ".join(arguments[:1] + arguments[1:][-1:]))
def test_a_quick_command_imports_nothing_heavy(arguments):
    program = (
        "import sys\nfrom finetune_cli.__main__ import main\n"
        f"code = main({arguments!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-1] == "0 []", ended.stderr
