"""Manifests as a user writes them, for tiny jobs that end in a minute. Pure."""

import copy
import json
from pathlib import Path
from typing import Any

MODEL_KEY = "models/tiny-phi3"
TRAIN_KEY = "data/train.jsonl"
HELDOUT_KEY = "data/heldout.jsonl"
TEMPLATE = "### Text: {phrase}\n### The tone is:\n{tone}"
SECRET = "s3"
TONES = {"joy": "I won the", "sadness": "I lost the", "fear": "I dread the", "surprise": "I never saw the"}
THINGS = ("game", "letter", "house", "dog", "garden", "ring", "train", "song", "river", "key", "lamp", "boat")

Json = dict[str, Any]


def rows(things: tuple[str, ...]) -> str:
    """JSON lines: every tone of every thing."""
    found = [{"phrase": f"{words} {thing}", "tone": tone} for thing in things for tone, words in TONES.items()]
    return "".join(json.dumps(row) + "\n" for row in found)


def train_rows() -> str:
    return rows(THINGS[:10])


def heldout_rows() -> str:
    return rows(THINGS[10:])


def s3(endpoint: str, uri: str, secret: str = SECRET) -> Json:
    return {"uri": uri, "endpoint": endpoint, "credentialsSecretRef": {"name": secret}}


def data_config(name: str, source: Json, **preprocess: Any) -> Json:
    return {"name": name, "source": source, "preprocess": {"textTemplate": TEMPLATE, "maxSeqLen": 64, **preprocess}}


def system(name: str, **changes: Any) -> Json:
    """A system whose pods find the machine-learning environment in a mounted volume."""
    environment = {"name": "ml-env", "mountPath": "/opt/venv", "persistentVolumeClaim": {"claimName": "ml-env"}}
    return {
        "name": name,
        "volumes": [environment],
        "env": [{"name": "OMP_NUM_THREADS", "value": "1"}],
        "scratchSize": "2Gi",
        "shmSize": "64Mi",
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "4Gi"}},
        **changes,
    }


def lora(name: str = "tune", max_steps: int = 4, **changes: Any) -> Json:
    training = {"maxSteps": max_steps, "perDeviceTrainBatchSize": 4, "loggingSteps": 1, "learningRate": 0.001}
    return {"name": name, "lora": {"r": 4, "alpha": 8, "trainData": "tones", "training": training}, **changes}


def merge(**changes: Any) -> Json:
    return {"name": "merge", "mergeAdapterWeights": {}, **changes}


def int4(**changes: Any) -> Json:
    return {"name": "int4", "modelBuilder": {"precision": "int4", "algorithm": "rtn"}, **changes}


def check(**changes: Any) -> Json:
    return {"name": "check", "evaluate": {"evaluator": "tone", "data": "heldout"}, **changes}


def evaluator() -> Json:
    metrics = [{"name": "accuracy", "accuracy": {"maxNewTokens": 4}}, {"name": "loss", "loss": {}}]
    return {"name": "tone", "metrics": metrics}


def local_volume(name: str, claim: str, folder: Path, *, mode: str) -> list[Json]:
    """A `local` PersistentVolume (which, unlike hostPath, honours fsGroup) over a folder, and the claim that binds it.

    Args:
        name: the volume's, unique in the cluster.
        claim: the claim's.
        folder: on the node.
        mode: ReadWriteMany or ReadOnlyMany.
    """
    size, modes = {"storage": "1Gi"}, [mode]
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "Exists"}]}
    volume = {
        "capacity": size,
        "accessModes": modes,
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
    }
    bound = {"accessModes": modes, "storageClassName": "", "volumeName": name, "resources": {"requests": size}}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim}, "spec": bound},
    ]


def job(name: str, spec: Json) -> Json:
    return {
        "apiVersion": "finetune-operator.dev/v1alpha1",
        "kind": "FineTuneJob",
        "metadata": {"name": name},
        "spec": spec,
    }


def with_change(spec: Json, path: str, value: Any) -> Json:
    """A copy of a spec with one field set, or taken away by None; a path such as passes.0.lora.r."""
    changed = copy.deepcopy(spec)
    *parents, last = path.split(".")
    place: Any = changed
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    if value is None:
        del place[last]
    elif isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return changed
