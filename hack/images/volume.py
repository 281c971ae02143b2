"""The volume that gives pods of one namespace the machine-learning environment, read-only."""

from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).with_name("ml-env-volume.yaml")


def manifest(environment: Path, namespace: str) -> str:
    return Template(TEMPLATE.read_text()).substitute(path=environment, namespace=namespace)
