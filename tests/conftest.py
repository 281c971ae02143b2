"""What holds for every tier: a test meets neither the accounts nor the proxy of whoever runs it."""

import os

ACCOUNTS = ("AWS_", "HF_", "WANDB_", "MLFLOW_")
HARMLESS = {"HF_HUB_DISABLE_TELEMETRY"}
DIRECT = ("localhost", "127.0.0.1")

for name in [name for name in os.environ if name.startswith(ACCOUNTS) and name not in HARMLESS]:
    del os.environ[name]
for name in ("NO_PROXY", "no_proxy"):
    os.environ[name] = ",".join([*filter(None, [os.environ.get(name)]), *DIRECT])
