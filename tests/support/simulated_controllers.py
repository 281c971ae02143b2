"""The Job controller and the garbage collector, in a few strokes, over the children of one FineTuneJob.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ with a podFailurePolicy: a pod is replaced once it has
ended, a disruption doesn't count, a permanent exit code fails the Job, and an ended pod stays, held by a finalizer,
until it is counted.
"""

from datetime import timedelta

from finetune_api.failures import FIRST_PERMANENT, LAST_PERMANENT
from finetune_operator.conditions import moment, timestamp
from finetune_operator.observe.children import controller_uid
from operator_world import UID
from simulated_api import ApiServer, Wire
from wire_state import ended_as, exit_code, is_deleting, is_live, is_queued

FOREGROUND = "foregroundDeletion"
TRACKING = "batch.kubernetes.io/job-tracking"


class Controllers:
    def __init__(self, api: ApiServer) -> None:
        self.api = api

    @property
    def live_jobs(self) -> list[Wire]:
        return [job for job in self.api.own_jobs() if not ended_as(job) and not is_deleting(job)]

    # the Job controller

    def control_jobs(self) -> None:
        for job in (*self.api.own_jobs(), *self.api.deletion_jobs()):
            self._count(job)
            self._control(self._newest(job))
        for pod in list(self.api.pods.values()):
            if not self._job_of(pod):
                self._release(pod)

    def _count(self, job: Wire) -> None:
        """Takes notice of the Job's ended pods."""
        for pod in self.api.pods_of(job):
            if is_live(pod) or not self._release(pod):
                continue
            if pod["status"]["phase"] == "Succeeded":
                self._decide(self._newest(job), "Complete", "CompletionsReached", "")
            elif not is_queued(job):
                self._count_failure(self._newest(job), pod)

    def _count_failure(self, job: Wire, pod: Wire) -> None:
        code = exit_code(pod)
        if code is not None and FIRST_PERMANENT <= code <= LAST_PERMANENT:
            text = (
                f"Container runner for pod {pod['metadata']['name']} failed with exit code {code} matching FailJob rule"
            )
            self._decide(job, "Failed", "PodFailurePolicy", text)
            return
        if any(condition["type"] == "DisruptionTarget" for condition in pod["status"].get("conditions", [])):
            return
        failed = job["status"].get("failed", 0) + 1
        self.api.put(self.api.jobs, {**job, "status": {**job["status"], "failed": failed}})
        if failed > job["spec"]["backoffLimit"]:
            text = "Job has reached the specified backoff limit"
            self._decide(self._newest(job), "Failed", "BackoffLimitExceeded", text)

    def _newest(self, job: Wire) -> Wire:
        return self.api.jobs[job["metadata"]["name"]]

    def _decide(self, job: Wire, kind: str, reason: str, text: str) -> None:
        """How the Job is to end; it ends when its pods have (the first decision holds)."""
        if "decided" not in job["status"]:
            decided = {"type": kind, "status": "True", "reason": reason, "message": text}
            self.api.put(self.api.jobs, {**job, "status": {**job["status"], "decided": decided}})

    def _control(self, job: Wire) -> None:
        if ended_as(job) or is_deleting(job):
            return
        seconds = job["spec"].get("activeDeadlineSeconds")
        if seconds and self.api.now >= moment(job["status"]["startTime"]) + timedelta(seconds=seconds):
            self._decide(job, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
            job = self._newest(job)
        live = [pod for pod in self.api.pods_of(job) if is_live(pod)]
        decided = job["status"].get("decided")
        if decided or is_queued(job):
            for pod in live:
                self.api.mark_deleted(self.api.pods, pod["metadata"]["name"])
            if decided and not live:
                self.api.put(self.api.jobs, {**job, "status": {**job["status"], "conditions": [decided]}})
        elif not live:
            self._start_pod(job)

    def queue(self, job: Wire, *, queued: bool) -> None:
        """Suspends the Job, or lets it run, as Kueue does; its deadline counts from then."""
        spec, status = {**job["spec"], "suspend": queued}, {**job["status"], "startTime": timestamp(self.api.now)}
        self.api.put(self.api.jobs, {**job, "spec": spec, "status": status})

    def _start_pod(self, job: Wire) -> None:
        template = job["spec"]["template"]["metadata"]
        owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
        name = f"{job['metadata']['name']}-{self.api.version}"
        meta = {**template, "name": name, "namespace": "team", "ownerReferences": [owner], "finalizers": [TRACKING]}
        self.api.create(self.api.pods, {"metadata": meta, "status": {"phase": "Pending"}})

    def _release(self, pod: Wire) -> bool:
        """Takes the Job controller's finalizer off an ended pod; False where that was done before."""
        if not pod["metadata"]["finalizers"]:
            return False
        self.api.put(self.api.pods, {**pod, "metadata": {**pod["metadata"], "finalizers": []}})
        return True

    def _job_of(self, pod: Wire) -> Wire | None:
        uid = controller_uid(pod)
        return next((job for job in self.api.jobs.values() if job["metadata"]["uid"] == uid), None)

    # the garbage collector

    def collect_garbage(self) -> None:
        """Dependents of what is being deleted or gone, and what nothing holds any more."""
        job = self.api.fine_tune_job
        if job is None or FOREGROUND in job["metadata"].get("finalizers", []):
            self._collect_all()
        for pod in list(self.api.pods.values()):
            job = self._job_of(pod)
            if controller_uid(pod) and (job is None or is_deleting(job)):
                self.api.mark_deleted(self.api.pods, pod["metadata"]["name"])
        self._remove_pods()
        for job in self.api.own_jobs():
            if is_deleting(job) and not any(self.api.pods_of(job)):
                self.api.remove(self.api.jobs, job["metadata"]["name"])

    def _collect_all(self) -> None:
        for job in self.api.own_jobs():
            self.api.mark_deleted(self.api.jobs, job["metadata"]["name"])
        for name, wire in list(self.api.config_maps.items()):
            if controller_uid(wire) == UID:
                self.api.remove(self.api.config_maps, name)
        if (owner := self.api.fine_tune_job) and not self.api.own_jobs():
            rest = [name for name in owner["metadata"]["finalizers"] if name != FOREGROUND]
            self.api.change_metadata(finalizers=rest)
            self.api.let_go_of_fine_tune_job()

    def _remove_pods(self) -> None:
        for pod in list(self.api.pods.values()):
            if is_deleting(pod) and not is_live(pod) and not pod["metadata"]["finalizers"]:
                self.api.remove(self.api.pods, pod["metadata"]["name"])
