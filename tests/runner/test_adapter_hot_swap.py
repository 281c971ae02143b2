"""examples/adapter-hot-swap.yaml runs, and the code that docs/export.md shows swaps its adapter."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from command_line import run_process

ROOT = Path(__file__).parents[2]


def test_the_example_makes_an_artifact_over_which_the_documented_code_loads_the_adapter(tiny_phi3, tmp_path):
    shutil.copytree(tiny_phi3, tmp_path / "models" / "base")
    manifest = str(ROOT / "examples" / "adapter-hot-swap.yaml")
    ended = run_process("run", manifest, f"--mount=models={tmp_path / 'models'}", f"--folder={tmp_path / 'here'}")
    assert ended.code == 0, ended.err

    shutil.copytree(tmp_path / "here" / "output" / "adapter-hot-swap", tmp_path / "output" / "tone")
    page = (ROOT / "docs" / "export.md").read_text()
    [code] = re.findall(r"```python\n(import onnxruntime_genai.*?)```", page, re.DOTALL)
    shown = "print(answer(prompt) != answer(prompt, 'tone'))"
    program = f"{code}\nprompt = '### Text: We won!\\n### The tone is:\\n'\n{shown}"
    swapped = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert swapped.returncode == 0, swapped.stderr
    assert swapped.stdout.splitlines()[-1] == "True"
