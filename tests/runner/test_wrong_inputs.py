"""What prepare says of rows, models and places, each wrong in its own way: the reason, the place, what to do."""

import json
import sys

import pytest

from fake_model import make_fake_model
from finetune_runner.exceptions import as_failure
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from runner_place import TONES, Place, jsonl
from s3_server import ACCESS_KEY, SECRET_KEY
from wrong_inputs import Mistake, by_name, good_manifest, mistakes

SECRETS = {
    "s3": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    "wrong-key": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": "not-the-key"},
    "stranger": {"AWS_ACCESS_KEY_ID": "who-is-that", "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    "half": {"AWS_ACCESS_KEY_ID": ACCESS_KEY},
}


@pytest.fixture
def here(tmp_path):
    """A pod whose claim has a model and rows; a bucket and Secrets besides."""
    place = Place(tmp_path, None)
    claim = place.layout.volumes / "files"
    make_fake_model(claim / "model")
    (claim / "tones.jsonl").write_text(jsonl(TONES))
    for name, keys in SECRETS.items():
        place.secret(name, **keys)
    return place


def write_files(place: Place, mistake: Mistake) -> None:
    for path, content in mistake.files.items():
        file = place.layout.volumes / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            file.unlink()
        else:
            file.write_bytes(content.encode(mistake.encoding))


def failure_of(place: Place, spec):
    """The failure that the pod would have ended with."""
    with pytest.raises(Exception) as caught:
        prepare(place.job(spec), Outcome(kind="prepare"))
    return as_failure(caught.value)


def test_with_nothing_wrong_all_is_prepared(here):
    prepare(here.job(good_manifest()["spec"]), Outcome(kind="prepare"))


@pytest.mark.parametrize("mistake", mistakes("data", "model"), ids=by_name)
def test_a_mistake_in_rows_or_model_is_told(here, mistake):
    write_files(here, mistake)
    failure = failure_of(here, mistake.manifest()["spec"])
    assert (failure.reason, mistake.says in str(failure)) == (mistake.reason, True), str(failure)


@pytest.mark.parametrize("mistake", mistakes("places"), ids=by_name)
def test_a_mistake_in_places_and_credentials_is_told(here, bucket, mistake):
    def placed(text):
        return text.replace("BUCKET", bucket.name).replace("ENDPOINT", bucket.server.endpoint)

    write_files(here, mistake)
    failure = failure_of(here, json.loads(placed(json.dumps(mistake.manifest()["spec"]))))
    assert (failure.reason, placed(mistake.says) in str(failure)) == (mistake.reason, True), str(failure)


def test_none_of_it_needs_torch():
    assert "torch" not in sys.modules
