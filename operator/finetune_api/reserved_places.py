"""Places in a pod that no volume may hide, and the rule by which the API server refuses one that would. Pure."""

from finetune_api import pod_layout

SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/dev", "/proc", "/sys")
OURS = (pod_layout.CODE, pod_layout.ENVIRONMENT, "/etc/finetune", "/var/run/finetune", "/run/finetune", pod_layout.WORK)
"""In the images /var/run is a link to /run."""
OPENSSL = ("/etc/ssl/openssl.cnf", "/opt/pyca")
"""A configuration of OpenSSL names libraries to load: the system's, and that of the package that signs."""
PYTHON = tuple(f"/etc/python3.{minor}" for minor in range(11, 16))
"""Debian's own Python runs the sitecustomize.py that is there; an image may be made on it."""
PLACES = (*SYSTEM, *OURS, *OPENSSL, *PYTHON)
_PATHS = "[(self.mountPath + '/').replace('/./', '/').replace('//', '/')]"
"""The path, which ends in /, as a list of one: so that it has a name and is made once."""
_MET = (
    f"[{', '.join(repr(place) for place in PLACES)}]"
    ".filter(place, path.startsWith(place + '/') || (place + '/').startsWith(path))"
)
_REMEDY = "mount it elsewhere, such as at /mnt/"


def mount_rule() -> dict[str, str]:
    """Of a volume, in CEL, which can't work out where .. or a third / in a row lead: that is left to the operator."""
    environment = f"path == '{pod_layout.ENVIRONMENT}/' && has(self.persistentVolumeClaim)"
    return {
        "rule": f"{_PATHS}.all(path, path.contains('/../') || {environment} || {_MET}.size() == 0)",
        "message": f"mountPath must hide nothing that the pod has in {', '.join(PLACES)}: {_REMEDY}NAME",
        "messageExpression": f"self.mountPath + ' would hide what the pod has in ' + {_PATHS}.map(path, {_MET}[0])[0]"
        f" + ': {_REMEDY}' + self.name",
        "fieldPath": ".mountPath",
    }
