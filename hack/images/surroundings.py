"""What a build borrows from the machine: its certificates and its package index settings.

Both are mounted read-only into the stages that are thrown away, and so are in no image.
"""

import configparser
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PIP_FILES = ("/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf")
# Settings about the network; others may name folders of this machine.
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "proxy", "retries", "timeout", "default-timeout")
BUNDLE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


@contextmanager
def mounts() -> Iterator[list[str]]:
    """Arguments for ``buildah bud``; the folder is private, since an index URL may hold a password."""
    with tempfile.TemporaryDirectory(prefix="finetune-pip-") as name:
        settings = Path(name) / "pip.conf"
        with settings.open("w") as file:
            pip_settings().write(file)
        yield [f"--volume={settings}:/etc/pip.conf:ro", f"--volume={certificates()}:{BUNDLE}:ro"]


def pip_settings() -> configparser.RawConfigParser:
    """The settings of pip on this machine, as far as a build needs them."""
    found = configparser.RawConfigParser()
    found.read(Path(path).expanduser() for path in (*PIP_FILES, os.environ.get("PIP_CONFIG_FILE", "")) if path)
    kept = configparser.RawConfigParser()
    kept["global"] = {"cert": BUNDLE}
    for name in PIP_SETTINGS:
        value = os.environ.get(f"PIP_{name.replace('-', '_').upper()}") or found.get("global", name, fallback=None)
        if value:
            kept["global"][name] = value
    return kept


def certificates() -> str:
    """The bundle that the machine's programs trust."""
    named = (os.environ.get(variable) for variable in BUNDLE_VARIABLES)
    return next((path for path in named if path and Path(path).is_file()), BUNDLE)
