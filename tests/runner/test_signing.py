"""A signed artifact: prepare signs and publishes it, `finetune verify` holds it beside a key and its provenance."""

import json
from base64 import b64decode

import pytest

from command_line import finetune
from finetune_api.failures import EXIT_CODES, FineTuneError, Reason
from finetune_api.pod_layout import WITHOUT_KEY_ENV
from finetune_runner.committed import find_committed
from finetune_runner.outcome import Outcome
from finetune_runner.prepare import finish, prepare
from finetune_runner.prepared import required
from finished_passes import finish_passes
from plugin_packages import write_sample
from published import flip_bit
from s3_server import ACCESS_KEY, SECRET_KEY
from signing_keys import new_key, private_pem, public_pem

__all__ = ["finetune"]

PASSES = ["tune", "merge", "int4"]
CORRUPT = EXIT_CODES[Reason.ARTIFACT_CORRUPT]


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture
def spec(place, key):
    place.secret("signer", **{"key.pem": private_pem(key).decode()})
    signing = {"keySecretRef": {"name": "signer", "key": "key.pem"}}
    return place.spec(output={"s3": place.bucket.location("out"), "signing": signing})


@pytest.fixture
def finished(place, spec):
    """A job whose passes are committed, and nothing published yet."""
    prepare(place.job(spec), Outcome(kind="prepare"))
    finish_passes(place, PASSES, spec=spec)
    return place


@pytest.fixture
def signed(finished, spec):
    """A job whose artifact is published."""
    ended(finished, spec, "prepare")
    return finished


@pytest.fixture
def verify(place, key, tmp_path, finetune, monkeypatch):
    """Verifies what lies at the output, where it lies or in a folder, with this key or another."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_ENDPOINT_URL", place.bucket.server.endpoint)

    def run(*more, by=key):
        (tmp_path / "signer.pub").write_bytes(public_pem(by))
        return finetune("verify", f"s3://{place.bucket.name}/out", "--public-key", tmp_path / "signer.pub", *more)

    return run


def ended(place, spec, kind):
    """How a pod of that kind ends which finds every pass committed."""
    job, outcome = place.job(spec), Outcome(kind=kind)
    pinned = required(job)
    finish(job, pinned, find_committed(job, pinned), outcome)
    return outcome


def test_a_stage_leaves_publishing_to_prepare(finished, spec):
    assert ended(finished, spec, "stage").published is None
    assert finished.bucket.object_keys("out/") == []

    assert ended(finished, spec, "prepare").published is not None
    assert "out/manifest.json" in finished.bucket.object_keys("out/")


def test_what_was_published_is_signed_by_that_key_and_no_other(signed, verify):
    mine, another = verify(), verify(by=new_key())

    assert (mine.code, mine.err) == (0, "")
    assert f"provenance: job team/job, UID {signed.uid}; signed by this key\n" in mine.out
    assert another.code == CORRUPT
    assert "provenance.intoto.json: its signature is not by this key" in another.err
    assert "Run the job again" not in another.err


def test_an_artifact_that_lies_there_unsigned_is_signed(place, spec, verify):
    unsigned = spec | {"output": {"s3": spec["output"]["s3"]}}
    prepare(place.job(unsigned), Outcome(kind="prepare"))
    finish_passes(place, PASSES, spec=unsigned)
    ended(place, unsigned, "prepare")
    found = verify()
    assert "provenance.intoto.json: is not signed" in found.err
    assert "its provenance does not answer for it" in found.err
    assert "spec.output.signing" in found.err

    ended(place, spec, "prepare")

    assert verify().code == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("README.md", "README.md: its sha256 is "),
        ("report.json", "report.json: its sha256 is "),
        ("model.onnx", "model.onnx: its sha256 is "),
        ("provenance.intoto.json", "provenance.intoto.json: "),
    ],
)
def test_one_flipped_bit_is_named_wherever_it_is(name, says, signed, verify, tmp_path):
    (tmp_path / "copy").write_bytes(signed.bucket.get(f"out/{name}"))
    flip_bit(tmp_path / "copy")
    signed.bucket.put(f"out/{name}", (tmp_path / "copy").read_bytes())

    found = verify()

    assert found.code == CORRUPT
    assert says in found.err


def test_the_job_that_makes_it_again_is_written_from_it(signed, verify, finetune, tmp_path):
    assert verify("--write-job", tmp_path / "again.json").code == 0

    written = json.loads((tmp_path / "again.json").read_text())
    statement = json.loads(b64decode(json.loads(signed.bucket.get("out/provenance.intoto.json"))["payload"]))
    assert written == statement["predicate"]["buildDefinition"]["externalParameters"]["job"]
    assert finetune("validate", tmp_path / "again.json").code == 0


def test_a_prepare_beside_plugins_needs_no_key_and_the_one_that_signs_needs_no_plugins(
    place, spec, verify, tmp_path, monkeypatch
):
    """Each in a process of its own, as in their pods: what one has, the other lacks."""
    passes = [*spec["passes"][:2], {"name": "scale", "plugin": {"name": "scale"}}]
    place.write_job(spec := spec | {"passes": passes})
    signer = place.layout.secrets / "signer"
    with monkeypatch.context() as beside_plugins:
        signer.rename(tmp_path / "away")
        beside_plugins.setenv("PYTHONPATH", str(write_sample(tmp_path)))
        beside_plugins.setenv(WITHOUT_KEY_ENV, "1")
        assert place.run("prepare").code == 0
        finish_passes(place, ["tune", "merge", "scale"], spec=spec)
        ended = place.run("prepare")
        assert (ended.code, ended.message.published) == (0, None)
    assert place.bucket.object_keys("out/") == []

    (tmp_path / "away").rename(signer)
    ended = place.run("prepare")

    assert (ended.code, ended.message.published is not None) == (0, True), ended.log
    assert verify().code == 0


@pytest.mark.parametrize(
    ("held", "says"),
    [({}, "secret 'signer' has no key 'key.pem'"), ({"key.pem": "nonsense"}, "the signing key can't be read as PEM")],
    ids=["empty", "no key"],
)
def test_a_key_that_is_not_there_is_told_before_anything_runs(held, says, place, spec):
    place.secret("signer", **{"key.pem": ""} | held)

    with pytest.raises(FineTuneError, match=says) as caught:
        prepare(place.job(spec), Outcome(kind="prepare"))

    assert caught.value.reason is Reason.AUTH_DENIED
    assert caught.value.path == "spec.output.signing.keySecretRef"


def test_what_is_no_key_is_misuse(signed, verify, finetune, tmp_path):
    (tmp_path / "no.pub").write_text("nonsense")

    said = finetune("verify", f"s3://{signed.bucket.name}/out", "--public-key", tmp_path / "no.pub")

    assert said.code == 2
    assert "--public-key can't be used: it is no public key in PEM" in said.err
