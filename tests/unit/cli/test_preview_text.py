"""finetune preview: what it asks for, and how it writes."""

import io
import sys

import pytest
import yaml

from api_specs import wire_pass, wire_spec
from finetune_api import API_VERSION, KIND
from finetune_cli.local.preview_text import has_colours, printable, show
from finetune_runner.data.preview import Preview, Sample
from finetune_runner.data.statistics import Statistics

TWO = [wire_pass(name, "cpu", "lora", input="base") for name in ("one", "two")]
DATA = [{**wire_spec()["dataConfigs"][0], "name": name} for name in ("tones", "moods")]


@pytest.mark.parametrize(
    ("options", "parts", "said"),
    [
        (["--pass=merge"], {}, "no tuning pass is named 'merge'; there is tune"),
        (["--data=rows"], {}, "no data config is named 'rows'; there is tones"),
        (["--pass=tune", "--data=tones"], {}, "--pass and --data are given together"),
        ([], {"passes": TWO}, "several passes tune: say --pass one or --pass two"),
        (
            [],
            {"passes": [wire_pass("int4", "cpu", "build")], "dataConfigs": DATA},
            "no pass tunes: say --data tones or --data moods",
        ),
        ([], {"passes": [wire_pass("int4", "cpu", "build")], "dataConfigs": []}, "the job reads no rows"),
    ],
)
def test_what_is_not_clear_is_asked_for(finetune, tmp_path, options, parts, said):
    job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "tone"}, "spec": wire_spec() | parts}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))

    ended = finetune("preview", tmp_path / "job.yaml", *options)

    assert (ended.code, said in ended.err) == (2, True), ended.err


def test_rows_cannot_steer_a_terminal():
    assert printable("\x1b[2J\u202ea\r\x07") == "\\x1b[2J\\u202ea\\r\\x07"


def test_text_of_any_script_is_left_alone():
    assert printable("naïve 漢字\n\t🙂 </s>") == "naïve 漢字\n\t🙂 </s>"


def test_brackets_in_rows_are_no_markup_on_a_terminal(capsys):
    sample = Sample([1, 2], [-100, 2], [[("[bold]a", False), ("[/red]", True)]])

    show(Preview([sample], Statistics()), coloured=True)

    assert "[bold]a[/red]\n" in capsys.readouterr().out


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("output", "environment", "expected"),
    [
        (Screen(), {"TERM": "xterm-256color"}, True),
        (Screen(), {"TERM": "dumb"}, False),
        (Screen(), {"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
        (io.StringIO(), {"TERM": "xterm-256color"}, False),
    ],
)
def test_what_counts_is_coloured_only_where_colours_are_seen(monkeypatch, output, environment, expected):
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", output)
    assert has_colours() is expected
