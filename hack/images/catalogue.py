"""The images there are: which target of the Dockerfile, and which files of the checkout go in."""

from dataclasses import dataclass

ALWAYS = ("Dockerfile", ".dockerignore", "LICENSE", "pyproject.toml", "hack/images/install_tree.py")
API = "operator/finetune_api"
OPERATOR = "operator/finetune_operator"
RUNNER = "runner/finetune_runner"


@dataclass(frozen=True)
class Dependencies:
    """The stage that our code is put on, kept as an image of its own.

    ``argument`` is the build argument that names what to put our code on.
    """

    repository: str
    target: str
    argument: str
    lock: str
    free_gigabytes: int
    expected: str


@dataclass(frozen=True)
class Image:
    """One image; disk and time are what it takes with its dependencies there.

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
    dependencies: Dependencies | None = None


RUNNER_ENV = Dependencies(
    "localhost/finetune-runner-env", "runner-env", "RUNNER_ENV", "requirements/runner.txt",
    free_gigabytes=38, expected="6 to 10 minutes",
)  # fmt: skip

IMAGES = {
    image.name: image
    for image in (
        Image(
            "operator", "finetune.local/operator", "operator",
            (*ALWAYS, "requirements/operator.txt", API, OPERATOR, RUNNER),
            free_gigabytes=1, expected="seconds",
            expected_load="10 s", versions_kept=4,
            dependencies=Dependencies(
                "localhost/finetune-operator-env", "operator-env", "OPERATOR_ENV", "requirements/operator.txt",
                free_gigabytes=2, expected="a minute",
            ),
        ),
        Image(
            "thin-runner", "finetune.local/runner-thin", "runner-thin", (*ALWAYS, API, RUNNER),
            free_gigabytes=1, expected="seconds", expected_load="5 s", versions_kept=4,
        ),
        Image(
            "runner", "finetune.local/runner", "runner", (*ALWAYS, "requirements/runner.txt", API, RUNNER),
            free_gigabytes=1, expected="seconds",
            expected_load="5 minutes, seconds when only our code changed", versions_kept=1,
            dependencies=RUNNER_ENV,
        ),
        Image(
            "runner-cuda", "finetune.local/runner-cuda", "runner-cuda",
            (*ALWAYS, "requirements/runner.txt", "requirements/cuda.txt", API, RUNNER),
            free_gigabytes=4, expected="a minute",
            expected_load="5 minutes, a minute when the runner's environment is there", versions_kept=1,
            dependencies=RUNNER_ENV,
        ),
    )
}  # fmt: skip
