"""The FineTuneJob resource: models, validation, plan, and what operator and runner say to each other.

Pure: imports no Kubernetes client, no torch, and nothing of ours.
"""

GROUP = "finetune-operator.dev"
VERSION = "v1alpha1"
KIND = "FineTuneJob"
PLURAL = "finetunejobs"
API_VERSION = f"{GROUP}/{VERSION}"
