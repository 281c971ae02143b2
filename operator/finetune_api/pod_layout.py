"""Where things lie inside a runner pod: the contract between the pod template and the runner.

The operator mounts by these paths, the runner reads by them; neither imports the other.
"""

JOB_FILE = "/etc/finetune/job.json"
"""JobDocument as JSON, from the job's ConfigMap."""

DELETION_FILE = "/etc/finetune/deletion.json"
"""DeletionDocument as JSON, from an annotation of the pod itself."""

SECRETS = "/var/run/finetune/secrets"
"""One folder a referenced Secret, one file a key. Optional mounts: a missing Secret is a missing folder's content,
so that the runner can name it instead of the pod hanging."""

CONFIG_MAPS = "/var/run/finetune/configmaps"
"""One folder a referenced ConfigMap, one file a key."""

VOLUMES = "/var/run/finetune/volumes"
"""One folder a referenced PersistentVolumeClaim, by claim name."""

CODE = "/opt/finetune"
"""Our packages, in the images."""

ENVIRONMENT = "/opt/venv"
"""The packages that ours need, in the images; the thin runner has it mounted."""

WORK = "/work"
"""Scratch: an emptyDir with a size limit. HOME is WORK/home, TMPDIR is WORK/tmp."""

TERMINATION_MESSAGE = "/dev/termination-log"

PROGRESS_PORT = 8080
"""GET /progress: Progress as JSON; GET /outcome: what the last word would be now, a TerminationMessage (both 204 before
there is anything to say); GET /metrics: Prometheus text; GET /healthz."""

POD_UID_ENV = "FINETUNE_POD_UID"
"""The pod's UID (downward API): names the attempt in the store."""

GRACE_ENV = "FINETUNE_GRACE_SECONDS"
"""How long the pod has to stop, where that is more than its system says."""

AGAIN_ENV = "FINETUNE_AGAIN"
"""Set for a prepare where an earlier one has used the store: if that does not answer now, it is away, and its endpoint
right. No argument, which an older runner in a plugin's image would not take."""

LOG_FORMAT_ENV = "FINETUNE_LOG_FORMAT"
"""How the pod logs: text, where it is not set, or json."""

WITHOUT_KEY_ENV = "FINETUNE_WITHOUT_KEY"
"""Set for a prepare that has no key to sign the artifact with: it leaves publishing to one that has."""

DIGEST_ENV = "FINETUNE_DOCUMENT_DIGEST"
"""sha256 of the job's document as it was accepted: a pod works on no other."""

HUB_CACHE_ENV = "HF_HUB_CACHE"
"""Where pods share the hub library's cache: a variable of their system, or of every one by the chart's modelCache."""

PREPARE_COMMAND = ("finetune-runner", "prepare")

DELETE_COMMAND = ("finetune-runner", "delete")

STAGE_COMMAND = ("finetune-runner", "stage")
"""Followed by the stage's index."""
