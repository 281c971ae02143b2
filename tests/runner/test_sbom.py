"""The bill of an image: Debian's packages and Python's, as the image's files list them."""

import importlib
import json
import sys
from pathlib import Path

import pytest

PACKAGES = "opt/venv/lib/python3.11/site-packages"
STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u10
Description: GNU C Library
 Version: no field, but a line of the description

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


@pytest.fixture
def sbom(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "hack"))
    yield importlib.import_module("images.sbom")
    for name in [name for name in sys.modules if name.partition(".")[0] == "images"]:
        del sys.modules[name]


@pytest.fixture
def root(tmp_path):
    """What counts of an image's file system."""
    files = {
        "var/lib/dpkg/status": STATUS,
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        f"{PACKAGES}/PyYAML-6.0.3.dist-info/METADATA": "Name: PyYAML\nVersion: 6.0.3\nLicense: MIT\n",
        "opt/finetune/lib/finetune_operator-0.1.0.dist-info/METADATA": "Name: finetune-operator\nVersion: 0.1.0\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_is_installed_is_listed_by_package_url(sbom, root):
    bill = json.loads(sbom.bill("operator", "finetune.local/operator:0123456789ab", root))

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "finetune-operator"
    assert bill["metadata"]["component"]["version"] == "0123456789ab"
    assert {component["purl"] for component in bill["components"]} == {
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12",
        "pkg:pypi/pyyaml@6.0.3",
        "pkg:pypi/finetune-operator@0.1.0",
    }
    [yaml] = [component for component in bill["components"] if component["name"] == "pyyaml"]
    assert yaml["licenses"] == [{"license": {"id": "MIT"}}]


def test_the_bill_of_one_image_always_has_one_serial_number(sbom, root):
    numbers = {json.loads(sbom.bill("operator", tag, root))["serialNumber"] for tag in ("a:1", "a:1", "a:2")}
    assert len(numbers) == 2


def test_an_image_that_lists_nothing_is_refused(sbom, tmp_path):
    with pytest.raises(sbom.ImagesError, match="a:1 lists no packages"):
        sbom.bill("operator", "a:1", tmp_path)
