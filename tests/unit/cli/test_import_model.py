"""finetune import: how an Olive config's model is read."""

import pytest

from olive_configs import MODERN, changed, imported, reports

MODEL = ("input_model", "model_path")
FORMAT = ("input_model", "model_file_format")


@pytest.mark.parametrize("place", ["./models/phi", "s3://models/phi"])
def test_mlflows_layout_of_a_folder_needs_no_word(place):
    found = imported(changed(MODERN, (MODEL, place), (FORMAT, "PyTorch.MLflow")))
    assert not [report for report in reports(found) if "model_file_format" in report]


def test_mlflows_layout_of_a_repository_on_the_hub_is_reported():
    found = imported(changed(MODERN, (FORMAT, "PyTorch.MLflow")))
    assert [report for report in reports(found) if "model_file_format: not carried" in report]
