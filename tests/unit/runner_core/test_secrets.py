"""Secrets as people's editors and shells write them."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_runner.store.secrets import secret_value

PLACE = "spec.store.s3.credentialsSecretRef"


def value(tmp_path, content: bytes) -> str:
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3" / "KEY").write_bytes(content)
    return secret_value(tmp_path, "s3", "KEY", PLACE)


@pytest.mark.parametrize("content", [b"hunter22", b" hunter22\r\n", b"\xef\xbb\xbfhunter22\n"])
def test_line_ends_and_a_byte_order_mark_are_no_part_of_it(tmp_path, content):
    assert value(tmp_path, content) == "hunter22"


def test_one_in_another_encoding_is_told_without_being_shown(tmp_path):
    with pytest.raises(FineTuneError, match="key 'KEY' of secret 's3' is not UTF-8 text") as caught:
        value(tmp_path, "hunter22".encode("utf-16"))
    assert (caught.value.reason, caught.value.path) == (Reason.AUTH_DENIED, PLACE)
