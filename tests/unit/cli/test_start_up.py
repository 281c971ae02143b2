"""The program starts quickly: it imports what a command needs, when it needs it."""

import subprocess
import sys

import pytest

from command_line import REPOSITORY

HEAVY = ("torch", "transformers", "boto3", "rich", "kopf", "kubernetes", "huggingface_hub", "finetune_runner")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["validate", str(REPOSITORY / "examples" / "tone.yaml")], ["schema"]]
)
def test_a_quick_command_imports_nothing_heavy(arguments):
    program = (
        "import sys\nfrom finetune_cli.__main__ import main\n"
        f"code = main({arguments!r})\n"
        f"print(code, [name for name in {HEAVY!r} if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-1] == "0 []", ended.stderr
