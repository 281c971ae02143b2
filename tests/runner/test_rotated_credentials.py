"""Credentials that are replaced in their Secret while a pod works, as those are that hold for an hour only."""

import pytest

from finetune_api.failures import FineTuneError, Reason
from finetune_api.resource.locations import S3Location
from finetune_runner.store.opening import open_s3
from s3_server import ACCESS_KEY, SECRET_KEY

GOOD = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
BAD = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "expired"}


@pytest.fixture
def store(place):
    """A store with the credentials of a Secret that is empty as yet, opened once some are there."""
    location = place.bucket.location("kept") | {"credentialsSecretRef": {"name": "keys"}}
    return lambda: open_s3(S3Location(**location), place.layout, "spec.store.s3")


def mounted(place, version, keys):
    """As the kubelet writes a Secret: a new folder, and one link that is changed at once."""
    folder = place.layout.secrets / "keys"
    (folder / version).mkdir(parents=True)
    for key, value in keys.items():
        (folder / version / key).write_text(value)
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(f"..data/{key}")
    (folder / "..new").symlink_to(version)
    (folder / "..new").replace(folder / "..data")


def test_new_ones_are_used_from_the_next_request_on(place, store):
    mounted(place, "..2026_01", BAD)
    opened = store()
    with pytest.raises(FineTuneError) as caught:
        opened.put("key", b"x")
    assert caught.value.reason is Reason.AUTH_DENIED
    mounted(place, "..2026_02", GOOD)
    opened.put("key", b"x")


def test_the_last_ones_stay_where_the_secret_goes(place, store):
    place.secret("keys", **GOOD)
    opened = store()
    for key in GOOD:
        (place.layout.secrets / "keys" / key).unlink()
    opened.put("key", b"x")


def test_a_key_without_its_other_half_is_none_to_change_to(place, store):
    place.secret("keys", **GOOD)
    opened = store()
    place.secret("keys", AWS_ACCESS_KEY_ID="another")
    (place.layout.secrets / "keys" / "AWS_SECRET_ACCESS_KEY").unlink()
    opened.put("key", b"x")
