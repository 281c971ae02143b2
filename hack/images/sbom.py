"""The software bill of materials of an image, as CycloneDX 1.6: what dpkg and Python's own metadata say is in it.

Read from the image's files, so that what a build really installed is told and not what a lock asked for. Needs
cyclonedx-python-lib, which the development environment has.
"""

import re
import uuid
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from images.errors import ImagesError

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

DPKG_STATUS = "var/lib/dpkg/status"
OS_RELEASE = "etc/os-release"
PYTHON_PATHS = ("opt/finetune/lib", "opt/cuda", "opt/venv/lib/python3*/site-packages")
"""Where the images have Python packages; Debian's own are dpkg's."""
INSTALLED = "install ok installed"


def require_library() -> None:
    """That the bill can be written; told before an image is built.

    Raises:
        ImagesError: it can't.
    """
    if find_spec("cyclonedx") is None:
        raise ImagesError(
            "cyclonedx-python-lib is not installed: run make sbom, which uses the development environment"
        )


def bill(name: str, reference: str, root: Path) -> str:
    """The bill of an image, as JSON that has been checked against CycloneDX's schema.

    Args:
        name: the image's.
        reference: repository and tag; the tag is a digest of what made the image.
        root: the image's file system.

    Raises:
        ImagesError: it lists no packages, or the bill is not as the schema wants it.
    """
    from cyclonedx.model.bom import Bom  # noqa: PLC0415  only the development environment has it
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415
    from cyclonedx.schema import SchemaVersion  # noqa: PLC0415
    from cyclonedx.validation.json import JsonStrictValidator  # noqa: PLC0415

    components = [*_debian(root), *_python(root)]
    if not components:
        raise ImagesError(f"{reference} lists no packages")
    version = reference.rpartition(":")[2]
    image = Component(name=f"finetune-{name}", version=version, type=ComponentType.CONTAINER, bom_ref=reference)
    bom = Bom(components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, reference))
    bom.metadata.component = image
    bom.register_dependency(image, components)
    text: str = JsonV1Dot6(bom).output_as_string(indent=1)
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ImagesError(f"the bill of {reference} is not as CycloneDX wants it: {wrong!r}")
    return text + "\n"


def _debian(root: Path) -> Iterator["Component"]:
    """The packages that dpkg has installed."""
    release = _release(root)
    for paragraph in _text(root / DPKG_STATUS).split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == INSTALLED:
            qualifiers = {"arch": fields["Architecture"], **({"distro": release} if release else {})}
            yield _component("deb", "debian", fields["Package"], fields["Version"], qualifiers)


def _python(root: Path) -> Iterator["Component"]:
    """The distributions in the environment, and ours."""
    folders = [str(folder) for pattern in PYTHON_PATHS for folder in sorted(root.glob(pattern))]
    found = {_normalised(distribution): distribution for distribution in distributions(path=folders)}
    for name, distribution in sorted(found.items()):
        yield _component("pypi", None, name, distribution.version, {}, licence=_licence(distribution))


def _component(
    kind: str, namespace: str | None, name: str, version: str, qualifiers: dict[str, str], *, licence: str = ""
) -> "Component":
    from cyclonedx.factory.license import LicenseFactory  # noqa: PLC0415
    from cyclonedx.model.component import Component  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    url = PackageURL(kind, namespace, name, version, qualifiers)
    licences = [LicenseFactory().make_from_string(licence)] if licence else []
    return Component(name=name, version=version, purl=url, bom_ref=str(url), licenses=licences)


def _licence(distribution: Distribution) -> str:
    """What the package calls its licence, where it does so by an SPDX expression or in a few words."""
    said = distribution.metadata.get("License-Expression") or distribution.metadata.get("License") or ""
    return said if "\n" not in said and len(said) <= 100 and said != "UNKNOWN" else ""


def _normalised(distribution: Distribution) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()


def _release(root: Path) -> str:
    """debian-12"""
    fields = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', _text(root / OS_RELEASE), re.MULTILINE))
    return "-".join(fields[name] for name in ("ID", "VERSION_ID") if name in fields)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
