"""The images there are: which target of the Dockerfile, and which files of the checkout go in."""

from dataclasses import dataclass

ALWAYS = ("Dockerfile", ".dockerignore", "LICENSE", "pyproject.toml", "hack/images/install_tree.py")
API = "operator/finetune_api"
OPERATOR = "operator/finetune_operator"
RUNNER = "runner/finetune_runner"


@dataclass(frozen=True)
class Image:
    """One image; ``packages_target`` is a stage worth keeping for the next build.

    ``versions_kept`` is how many a cluster keeps, the newest first.
    """

    name: str
    repository: str
    target: str
    inputs: tuple[str, ...]
    free_gigabytes: int
    expected: str
    expected_load: str
    versions_kept: int
    packages_target: str = ""


IMAGES = {
    image.name: image
    for image in (
        Image(
            "operator", "finetune.local/operator", "operator",
            (*ALWAYS, "requirements/operator.txt", API, OPERATOR, RUNNER),
            free_gigabytes=2, expected="a minute, seconds when only our code changed",
            expected_load="10 s", versions_kept=4,
            packages_target="operator-packages",
        ),
        Image(
            "thin-runner", "finetune.local/runner-thin", "runner-thin", (*ALWAYS, API, RUNNER),
            free_gigabytes=1, expected="seconds", expected_load="5 s", versions_kept=4,
        ),
        Image(
            "runner", "finetune.local/runner", "runner", (*ALWAYS, "requirements/runner.txt", API, RUNNER),
            free_gigabytes=38, expected="6 to 10 minutes", expected_load="5 minutes", versions_kept=1,
        ),
    )
}  # fmt: skip
