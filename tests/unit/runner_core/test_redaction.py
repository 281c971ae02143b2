"""No message and no line of a log repeats a secret that the process knows."""

import json
import logging

import pytest

from api_specs import spec_of
from finetune_api.failures import FineTuneError, Reason
from finetune_api.log_format import formatter
from finetune_runner.outcome import Outcome
from finetune_runner.redaction import Redacting, keep_secret, keep_variables_secret, redacted
from finetune_runner.store.secrets import optional_secret_value

PASSWORD = 'pass"word\\1'


@pytest.fixture
def read_secret(tmp_path):
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3" / "AWS_SECRET_ACCESS_KEY").write_text(f"{PASSWORD}\n")
    optional_secret_value(tmp_path, "s3", "AWS_SECRET_ACCESS_KEY", "spec.store.s3.credentialsSecretRef")


@pytest.mark.usefixtures("read_secret")
def test_the_last_word_repeats_no_secret_that_was_read():
    error = FineTuneError(Reason.STORE_UNAVAILABLE, f"refused {PASSWORD}", remedy=f"not {PASSWORD}")
    failure = Outcome(kind="stage").message(error, first=frozenset()).failure
    assert (failure.message, failure.remedy) == ("refused …", "not …")


@pytest.mark.usefixtures("read_secret")
@pytest.mark.parametrize("style", ["text", "json"])
def test_nor_does_the_log_in_its_tracebacks(style):
    error = ValueError(PASSWORD)
    record = logging.LogRecord("x", logging.ERROR, "", 0, "with %s", (PASSWORD,), (ValueError, error, None))
    line = Redacting(formatter(style)).format(record)
    assert "ValueError: …" in line
    assert PASSWORD not in line
    assert json.dumps(PASSWORD)[1:-1] not in line


def test_a_variable_from_a_secret_is_hidden_and_others_are_not(monkeypatch):
    key = {"name": "PROXY_KEY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "key"}}}
    plain = {"name": "PLACE", "value": "somewhere"}
    monkeypatch.setenv("PROXY_KEY", "from-a-secret")
    monkeypatch.setenv("PLACE", "somewhere")
    keep_variables_secret(spec_of(systems=[{"name": "gpu", "env": [key, plain]}, {"name": "cpu"}]))
    assert redacted("from-a-secret, somewhere") == "…, somewhere"


def test_a_login_in_an_address_is_hidden_and_a_revision_is_none():
    text = "no answer of http://me:word@proxy:3128/ for hf://gpt2@main"
    assert redacted(text) == "no answer of http://…@proxy:3128/ for hf://gpt2@main"


def test_what_is_too_short_for_a_secret_stays():
    keep_secret("s3")
    assert redacted("s3://models") == "s3://models"
