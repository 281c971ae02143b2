"""What prepare says of rows, models and places, each wrong in its own way: the reason, the place, what to do."""

import json
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from fake_model import make_fake_model
from finetune_api.failures import FineTuneError, Reason
from finetune_runner.ending.exceptions import as_failure
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import prepare
from row_files import row_files
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


def damaged(content: bytes, random: Random) -> bytes:
    """Cut off, with a byte changed, or with some put in."""
    at = random.randrange(len(content))
    put_in = {
        "cut": b"",
        "changed": random.randbytes(1) + content[at + 1 :],
        "more": random.randbytes(9) + content[at:],
    }
    return content[:at] + put_in[random.choice(list(put_in))]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.arrow"])
def test_a_damaged_file_is_read_or_told_of(tmp_path, name):
    """Generated: what is damaged may still hold rows, but nothing else comes of it than a sentence on the data."""
    table, whole, random = pa.Table.from_pylist(TONES), tmp_path / name, Random(7)
    texts = {"a.jsonl": jsonl(TONES), "a.json": json.dumps(TONES), "a.csv": "phrase,tone\nthe sun is out,joy\na,fear\n"}
    if name in texts:
        whole.write_text(texts[name])
    elif name == "a.parquet":
        pq.write_table(table, whole)
    else:
        feather.write_feather(table, whole)
    content = whole.read_bytes()
    for _ in range(40):
        whole.write_bytes(damaged(content, random))
        try:
            list(row_files(tmp_path, name, columns=["phrase", "tone"]))
        except FineTuneError as error:
            assert (error.reason, bool(error.path)) == (Reason.DATASET_INVALID, True), str(error)  # noqa: PT017
