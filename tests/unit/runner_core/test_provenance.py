"""Provenance says what an artifact was made of, and a signature whose word that is."""

import hashlib
import json
from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from finetune_api.failures import FineTuneError, Reason
from finetune_api.validate import parse
from finetune_runner.provenance.checking import check
from finetune_runner.provenance.envelope import opened
from finetune_runner.provenance.keys import private_key_of
from finetune_runner.publishing.beside import beside
from made_artifacts import COMMIT, made
from signing_keys import new_key, private_pem, public_pem

PROVENANCE = "provenance.intoto.json"
IMAGE = "registry.test/runner:1@sha256:" + "c" * 64


@pytest.fixture(scope="module")
def key():
    return new_key()


def published(signed_by=None, **parts):
    """An artifact, and what lies beside it."""
    artifact = made(**parts)
    return artifact, beside(artifact, private_key_of(private_pem(signed_by), "spec.output") if signed_by else None)


def statement_of(files):
    return json.loads(
        opened(files[PROVENANCE]).envelope.payload if b"payload" in files[PROVENANCE] else files[PROVENANCE]
    )


def found(artifact, files, key=None, **changes):
    checked = check(replace_files(artifact, **changes), files.get, public_pem(key) if key else None)
    return [str(damage) for damage in checked.damages], checked.is_signed


def replace_files(artifact, **changes):
    files = [file.model_copy(update=changes) for file in artifact.manifest.files]
    return artifact.manifest.model_copy(update={"files": files})


def test_its_subjects_are_the_artifacts_files_and_what_lies_beside():
    _, files = published()
    assert [subject["name"] for subject in statement_of(files)["subject"]] == ["model.onnx", "report.json", "README.md"]


def test_it_names_what_came_in_by_commit_and_digest():
    systems = [{"name": "gpu", "accelerator": {}, "image": IMAGE}, {"name": "cpu", "image": "registry.test/runner:1"}]
    _, files = published(systems=systems)

    build = statement_of(files)["predicate"]["buildDefinition"]
    dependencies = {item["name"]: item for item in build["resolvedDependencies"]}
    assert dependencies["inputModel"]["digest"] == {"finetuneOperatorV1": "b" * 64, "gitCommit": COMMIT}
    assert dependencies["data tones"]["digest"] == {"finetuneOperatorV1": "e" * 64}
    assert dependencies["image of gpu"] == {"name": "image of gpu", "uri": IMAGE, "digest": {"sha256": "c" * 64}}
    assert "digest" not in dependencies["image of cpu"]
    tune = build["internalParameters"]["passes"][0]
    assert tune["seeds"] == {"seed": 42, "dataSeed": 42}
    assert tune["libraries"]["peft"] == "0.21.2"


def test_the_job_in_it_is_valid_and_pins_what_it_names():
    _, files = published()
    job = statement_of(files)["predicate"]["buildDefinition"]["externalParameters"]["job"]

    assert job["spec"]["inputModel"]["source"]["huggingFace"]["revision"] == COMMIT
    assert parse(job["spec"])[1] == []


def test_nothing_secret_is_part_of_it():
    systems = [{"name": "gpu", "accelerator": {}, "env": [{"name": "KEY", "value": "hunter2"}]}, {"name": "cpu"}]
    store = {"s3": {"uri": "s3://models/x", "endpoint": "https://s3.test:9000"}}
    rows = {"inline": {"text": '{"phrase": "my diary", "tone": "joy"}'}}
    data = [{"name": "tones", "source": rows, "format": "jsonl", "preprocess": {"textTemplate": "{phrase} {tone}"}}]
    _, files = published(systems=systems, store=store, dataConfigs=data)

    text = files[PROVENANCE].decode()
    assert "https://s3.test:9000" in text
    assert [secret for secret in ("hunter2", "diary") if secret in text] == []


def test_without_a_key_digests_are_checked_and_nobody_has_signed():
    assert found(*published()) == ([], False)


@pytest.mark.parametrize("kind", ["ecdsa", "ed25519"])
def test_what_was_signed_is_signed_by_that_key(kind, key):
    signed_by = key if kind == "ecdsa" else ed25519.Ed25519PrivateKey.generate()
    assert found(*published(signed_by), signed_by) == ([], True)


def test_another_key_is_told_from_it(key):
    other = new_key()
    damages, is_signed = found(*published(key), other)
    assert damages == [f"{PROVENANCE}: its signature is not by this key, or it was changed after it was signed"]
    assert not is_signed


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda files: files | {PROVENANCE: edited(files[PROVENANCE])}, "its signature is not by this key, or it was"),
        (lambda files: files | {PROVENANCE: stripped(files[PROVENANCE])}, "is not signed"),
        (lambda files: files | {PROVENANCE: b"{}"}, "can't be read: it is no in-toto statement of ours"),
        (lambda files: files | {PROVENANCE: b"[]"}, "can't be read: it is no JSON object"),
        (lambda files: files | {PROVENANCE: b"[" * 99999}, "can't be read: it is nested too deeply"),
        (lambda files: files | {PROVENANCE: b'{"payload": 3}'}, "can't be read: it is no DSSE envelope"),
        (lambda files: {name: files[name] for name in files if name != PROVENANCE}, "is missing, so that no signature"),
    ],
    ids=["edited", "unsigned", "empty", "no object", "nested", "no envelope", "gone"],
)
def test_a_provenance_that_was_tampered_with_is_refused(spoil, says, key):
    artifact, files = published(key)
    damages, is_signed = found(artifact, spoil(files), key)
    assert [damage for damage in damages if damage.startswith(f"{PROVENANCE}: {says}")]
    assert not is_signed


def edited(content):
    """The envelope with a payload that says something else, under the signature it has."""
    envelope = json.loads(content)
    payload = b64decode(envelope["payload"]).replace(b"phi3-tone", b"evil-tone")
    return json.dumps(envelope | {"payload": b64encode(payload).decode()}).encode()


def stripped(content):
    return json.dumps(json.loads(content) | {"signatures": []}).encode()


def test_a_file_that_was_replaced_together_with_its_manifest_is_named():
    artifact, files = published()
    damages, _ = found(artifact, files, sha256="0" * 64)
    assert damages == [f"model.onnx: its sha256 is {'0' * 64}, and in the provenance {'a' * 64}"]


def test_files_that_were_added_renamed_changed_or_removed_are_named():
    artifact, files = published()
    changed = files | {"README.md": b"# trust me"}
    del changed["report.json"]

    damages, _ = found(artifact, changed, path="other.onnx")

    assert [damage.partition(", ")[0].split(" in ")[0] for damage in damages] == [
        f"README.md: its sha256 is {sha256_of(b'# trust me')}",
        "model.onnx: is missing",
        "other.onnx: is not",
        "report.json: is missing",
    ]


def sha256_of(content):

    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (lambda key: private_pem(key, serialization.BestAvailableEncryption(b"x")), "the signing key is encrypted"),
        (lambda key: b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", "is in cosign's own encrypted form"),
        (public_pem, "the signing key can't be read as PEM"),
        (lambda key: private_pem(rsa.generate_private_key(65537, 1024)), "the signing key is of another kind"),
        (lambda key: private_pem(ec.generate_private_key(ec.SECP384R1())), "the signing key is of another kind"),
    ],
    ids=["encrypted", "cosign", "public", "rsa", "another curve"],
)
def test_a_key_that_cannot_sign_is_refused_with_how_to_make_one(pem, says, key):
    with pytest.raises(FineTuneError, match=says) as caught:
        private_key_of(pem(key), "spec.output.signing.keySecretRef")

    assert caught.value.reason is Reason.AUTH_DENIED
    assert caught.value.path == "spec.output.signing.keySecretRef"
    assert "openssl genpkey -algorithm EC" in caught.value.remedy
