"""What finetune run asks a folder or a value for."""

from api_specs import spec_of
from finetune_cli.local.references import references


def test_data_that_no_pass_uses_needs_no_folder():
    words = {"preprocess": {"textTemplate": "{phrase} {tone}"}}
    spare = {"name": "spare", "source": {"volume": {"claimName": "gone", "path": "rows.jsonl"}}, **words}
    tones = {"name": "tones", "source": {"volume": {"claimName": "rows", "path": "rows.jsonl"}}, **words}
    assert [found.path for found in references(spec_of(dataConfigs=[spare, tones])) if found.kind == "claim"] == [
        "spec.dataConfigs[1].source.volume.claimName"
    ]
