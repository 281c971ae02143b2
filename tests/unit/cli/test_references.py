"""What finetune run asks a folder or a value for."""

from pathlib import Path

from api_specs import spec_of
from finetune_cli.local.pod_root import Mapped, unread
from finetune_cli.local.references import references


def test_data_that_no_pass_uses_needs_no_folder():
    words = {"preprocess": {"textTemplate": "{phrase} {tone}"}}
    spare = {"name": "spare", "source": {"volume": {"claimName": "gone", "path": "rows.jsonl"}}, **words}
    tones = {"name": "tones", "source": {"volume": {"claimName": "rows", "path": "rows.jsonl"}}, **words}
    assert [found.path for found in references(spec_of(dataConfigs=[spare, tones])) if found.kind == "claim"] == [
        "spec.dataConfigs[1].source.volume.claimName"
    ]


def test_an_option_for_what_the_job_does_not_read_is_named():
    words = {"preprocess": {"textTemplate": "{phrase} {tone}"}}
    tones = {"name": "tones", "source": {"volume": {"claimName": "rows", "path": "rows.jsonl"}}, **words}
    wanted = references(spec_of(dataConfigs=[tones]))
    here = Path()
    mapped = Mapped({"rows": here, "rosw": here}, {"rows": here}, {})
    assert list(unread(wanted, mapped)) == [
        "--mount rosw: the job reads no claim of that name here",
        "--secret rows: the job reads no secret of that name here",
    ]
