"""A namespace of a test's own with all that a job needs: a bucket with model and data, credentials, a volume."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import cluster_manifests as manifests
from cluster_access import Cluster, until, watch
from cluster_bucket import Bucket
from cluster_setup import RESTRICTED, hack

JOB_LABEL = "finetune-operator.dev/job-name"
STAGE_LABEL = "finetune-operator.dev/stage"
CHAIN_SECONDS = 240
PREPARE_SECONDS = 90
LAST_WORDS_SECONDS = 90
"""A pod may write a checkpoint for as long as its grace period."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Workspace:
    """namespace enforces Pod Security `restricted`; bucket holds the tiny model and the rows."""

    cluster: Cluster
    namespace: str
    bucket: Bucket
    endpoint: str
    """The S3 server as pods reach it."""

    def s3(self, key: str) -> Json:
        return manifests.s3(self.endpoint, self.bucket.uri(key))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def get(self, *arguments: str) -> Json:
        return self.cluster.get("-n", self.namespace, *arguments)

    def spec(self, name: str, passes: list[Json], systems: list[Json] | None = None) -> Json:
        """A spec over the workspace's model and rows, with store and output in its bucket."""
        return {
            "inputModel": {"source": {"s3": self.s3(manifests.MODEL_KEY)}},
            "dataConfigs": [
                manifests.data_config("tones", {"s3": self.s3(manifests.TRAIN_KEY)}),
                manifests.data_config("heldout", {"s3": self.s3(manifests.HELDOUT_KEY)}),
            ],
            "systems": systems or [manifests.system("cpu")],
            "passes": passes,
            "evaluators": [manifests.evaluator()],
            "store": {"s3": self.s3("store")},
            "output": {"s3": self.s3(f"published/{name}")},
        }

    def apply(self, name: str, spec: Json) -> str:
        """Apply a job from a YAML file, as a user would."""
        return self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(manifests.job(name, spec), sort_keys=False))

    def apply_document(self, document: Json) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(document))

    def try_apply(self, name: str, spec: Json) -> str:
        """What kubectl says when it refuses a job.

        Raises:
            AssertionError: it did not refuse.
        """
        text = yaml.safe_dump(manifests.job(name, spec), sort_keys=False)
        done = self.cluster.attempt("kubectl", "-n", self.namespace, "apply", "-f", "-", stdin=text)
        assert done.returncode != 0, f"kubectl applied what it should have refused: {done.stdout}"
        return done.stderr

    def status(self, name: str) -> Json:
        return self.get("ftj", name).get("status", {})

    def status_when(self, name: str, holds: Callable[[Json], bool], seconds: float, what: str) -> Json:
        """The job's first status for which something holds.

        Raises:
            AssertionError: the job ended before, or time was up.
        """
        last: Json = {}
        for last in watch(self.cluster, "-n", self.namespace, "ftj", name, seconds=seconds):
            if holds(last):
                return last
            if last.get("phase") in ("Complete", "Failed"):
                break
        raise AssertionError(
            f"{name} ended or {seconds:.0f} s passed before {what}; its last status:\n{yaml.dump(last)}"
        )

    def completed(self, name: str, seconds: float = CHAIN_SECONDS) -> Json:
        """The status of a job once it is Complete."""
        return self.status_when(name, in_phase("Complete"), seconds, "it was Complete")

    def failed(self, name: str, seconds: float = CHAIN_SECONDS) -> Json:
        """status.failure of a job once it is Failed."""
        return self.status_when(name, in_phase("Failed"), seconds, "it was Failed")["failure"]

    def jobs(self, name: str) -> list[Json]:
        """The Kubernetes Jobs of a FineTuneJob."""
        return self.get("jobs", "-l", f"{JOB_LABEL}={name}")["items"]

    def stage_jobs(self, name: str) -> list[Json]:
        return [job for job in self.jobs(name) if STAGE_LABEL in job["metadata"]["labels"]]

    def stage_pods(self, name: str) -> list[Json]:
        return self.get("pods", "-l", f"{JOB_LABEL}={name},{STAGE_LABEL}")["items"]

    def pods_at_work(self) -> list[Json]:
        """The namespace's pods that have not ended, those among them that were told to."""
        return [pod for pod in self.get("pods")["items"] if pod["status"].get("phase") not in ("Succeeded", "Failed")]

    def running_pod(self, name: str) -> Json:
        """The stage pod of a job, once it runs."""
        return until(
            lambda: next((pod for pod in self.stage_pods(name) if is_running(pod)), None),
            CHAIN_SECONDS,
            f"a stage pod of {name} runs",
        )


def in_phase(phase: str) -> Callable[[Json], bool]:
    return lambda status: status.get("phase") == phase


def is_running(pod: Json) -> bool:
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def create(cluster: Cluster, model: Path, theme: str) -> Workspace:
    """A fresh namespace and bucket; theme is part of their name."""
    name = f"{theme}-{uuid.uuid4().hex[:6]}"
    bucket = Bucket.create(cluster, name)
    bucket.put_directory(manifests.MODEL_KEY, model)
    bucket.put(manifests.TRAIN_KEY, manifests.train_rows())
    bucket.put(manifests.HELDOUT_KEY, manifests.heldout_rows())
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, RESTRICTED)
    workspace = Workspace(cluster, name, bucket, cluster.environment["S3_CLUSTER_ENDPOINT"])
    workspace.kubectl("apply", "-f", "-", stdin=hack("images", "ml-env-volume", "--namespace", name))
    create_credentials(workspace, manifests.SECRET, cluster.environment["S3_SECRET_KEY"])
    return workspace


def create_credentials(workspace: Workspace, secret: str, secret_key: str) -> None:
    access_key = workspace.cluster.environment["S3_ACCESS_KEY"]
    literals = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    given = [f"--from-literal={name}={value}" for name, value in literals.items()]
    workspace.kubectl("create", "secret", "generic", secret, *given)


def remove(workspace: Workspace) -> None:
    """Give everything back; the namespace goes in the background, the bucket when no pod can write to it any more."""
    workspace.cluster.kubectl("delete", "namespace", workspace.namespace, "--wait=false")
    workspace.cluster.kubectl("delete", "persistentvolume", f"ml-env-{workspace.namespace}", "--wait=false")
    until(lambda: not workspace.pods_at_work(), LAST_WORDS_SECONDS, f"the pods of {workspace.namespace} have ended")
    workspace.bucket.delete()
