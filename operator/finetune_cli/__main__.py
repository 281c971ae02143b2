"""The program's entry. The only place where a process's end is decided; no input leads to a traceback."""

import gc
import os
import sys
import traceback
from collections.abc import Sequence

import click

from finetune_api.failures import SIGTERM_EXIT, FineTuneError
from finetune_cli.app import finetune

DEBUG_ENV = "FINETUNE_DEBUG"
BUG_EXIT = 70
"""EX_SOFTWARE of sysexits.h: the fault is ours."""
MACHINE_EXIT = 1
INTERRUPTED_EXIT = 130
GC_THRESHOLD = 100_000
"""Objects until the collector runs: imports make many that stay, and looking at them took a tenth of a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code: 0 good, 1 found wanting, 2 misused, a failure's own where it has one."""
    _open_streams()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it searches all that is installed for them
    try:
        code = finetune.main(args=arguments, prog_name=_name(), standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED_EXIT
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing more to say
        return SIGTERM_EXIT
    except Exception as error:  # noqa: BLE001  the process ends with it
        return _ended_by(error)
    return code if isinstance(code, int) else 0


def _name() -> str:
    """As kubectl's users call it, where kubectl called it."""
    return "kubectl finetune" if os.path.basename(sys.argv[0]) == "kubectl-finetune" else "finetune"  # noqa: PTH119


def _open_streams() -> None:
    """One that was closed before the program began reads and writes nothing, instead of failing."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  stays open


def _ended_by(error: Exception) -> int:
    match error:
        case click.ClickException():
            error.show()
            return error.exit_code
        case FineTuneError():
            click.echo(f"{error.reason}: {error}", err=True)
            return error.exit_code
        case OSError():
            _tell_debugger(error)
            place = f"{error.filename}: " if error.filename else ""
            return _machine(f"{place}{error.strerror or error}")
        case UnicodeEncodeError() if not error.encoding.startswith("utf"):
            character = error.object[error.start]
            where = f"{error.encoding}, the output's encoding (set PYTHONIOENCODING=utf-8)"
            return _machine(f"{character!r} can't be written in {where}")
    return _bug(error)


def _machine(said: str) -> int:
    """A full disk, a folder that can't be written, a terminal without a character."""
    click.echo(f"Error: {said}", err=True)
    return MACHINE_EXIT


def _tell_debugger(error: Exception) -> None:
    if os.environ.get(DEBUG_ENV):
        traceback.print_exception(error)


def _bug(error: Exception) -> int:
    _tell_debugger(error)
    first = next(iter(str(error).splitlines()), "")
    click.echo(f"Internal: {type(error).__name__}: {first}", err=True)
    click.echo(f"This is a bug; {DEBUG_ENV}=1 shows where. Please report it.", err=True)
    return BUG_EXIT


def run() -> None:
    """For the installed scripts."""
    gc.set_threshold(GC_THRESHOLD)
    code = main()
    gc.freeze()  # the memory goes with the process; a last look through it took a fifth of a command
    sys.exit(code)


if __name__ == "__main__":
    run()
