"""Names of files are anyone's choice; none leads out of its folder."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.paths import below


def test_a_path_lies_below_its_folder_and_its_parent_exists(tmp_path):
    assert below(tmp_path, "a/b/c.bin") == tmp_path / "a/b/c.bin"
    assert (tmp_path / "a/b").is_dir()


@pytest.mark.parametrize("path", ["../escaped", "a/../../escaped", "/etc/passwd", "", "."])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path, path):
    with pytest.raises(FineTuneError) as caught:
        below(tmp_path / "folder", path)
    assert caught.value.reason is Reason.ARTIFACT_CORRUPT
