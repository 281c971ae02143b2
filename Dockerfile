# The operator's two images:
#
#   docker build --target operator -t finetune-operator .   # the operator and the prepare step, no torch
#   docker build --target runner   -t finetune-runner   .   # the machine-learning stack, runs the stages
#
# A third target, runner-thin, is the runner with an empty /opt/venv, for an environment that
# is mounted there; tests use it, because it builds in seconds.
#
# The final stages hold only COPY, ENV and labels: every RUN happens in a stage that is
# thrown away, so whatever a build needs from its surroundings (a certificate bundle, a
# package index, download caches) can be mounted into the build and stays out of the image.
#
# A plugin goes on top with `USER root` and `RUN pip --python /opt/venv/bin/python install …`;
# the environment itself carries no installer.

ARG BASE_IMAGE=python:3.12-slim

# What our code is put on: the stages below, or an image made from one of them before. A builder
# that keeps no layers of its own then rebuilds after a code change without the install.
ARG OPERATOR_ENV=operator-env
ARG RUNNER_ENV=runner-env


# What every container of ours has in common.
FROM ${BASE_IMAGE} AS base

FROM base AS accounts
RUN groupadd --gid 10001 finetune \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin finetune

FROM base AS runtime
COPY --from=accounts /etc/passwd /etc/group /etc/
# Bytecode is compiled below; at run time the root file system is read-only. HOME is only a
# default: pods point it to a volume.
ENV PATH=/opt/finetune/bin:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    VIRTUAL_ENV=/opt/venv \
    PYTHONPATH=/opt/finetune/lib \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
WORKDIR /tmp
USER 10001:10001


# The dependencies, from the locks. They change rarely and so come before our code. Not
# compiled: files such as py312_intrinsics.py, which only that or a later Python can read.
FROM base AS installer
RUN python3 -m venv /opt/pip && python3 -m venv --without-pip /opt/venv

FROM installer AS operator-packages
COPY requirements/operator.txt /tmp/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pip/bin/pip --python /opt/venv/bin/python install --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement /tmp/requirements.txt
# Prepare reads Parquet and Arrow files with pyarrow; these 60 MB of it serve other ends (and a pattern that
# a later pyarrow has no match for fails the build).
RUN cd /opt/venv/lib/python3*/site-packages/pyarrow \
 && rm -r include src tests *flight* *s3* libarrow_python.so libarrow_python.so.*.*.* \
 && /opt/venv/bin/python -I -B -c "import pyarrow.parquet, pyarrow.ipc"
RUN /opt/venv/bin/python -m compileall -q -j 0 -x '/py3[0-9]+_[^/]*$' \
        --invalidation-mode unchecked-hash /opt/venv/lib

FROM installer AS runner-packages
COPY requirements/runner.txt /tmp/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pip/bin/pip --python /opt/venv/bin/python install --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement /tmp/requirements.txt \
 && /opt/venv/bin/python -m compileall -q -j 0 -x '/py3[0-9]+_[^/]*$' \
        --invalidation-mode unchecked-hash /opt/venv/lib

FROM runtime AS operator-env
COPY --from=operator-packages /opt/venv /opt/venv

FROM runtime AS runner-env
COPY --from=runner-packages /opt/venv /opt/venv


# Our code: packages, console scripts and metadata as an installer would lay them out.
FROM base AS operator-code
COPY pyproject.toml LICENSE hack/images/install_tree.py /src/
COPY operator/finetune_api /src/operator/finetune_api
COPY operator/finetune_operator /src/operator/finetune_operator
COPY runner/finetune_runner /src/runner/finetune_runner
RUN python3 /src/install_tree.py /src /opt/finetune

FROM base AS runner-code
COPY pyproject.toml LICENSE hack/images/install_tree.py /src/
COPY operator/finetune_api /src/operator/finetune_api
COPY runner/finetune_runner /src/runner/finetune_runner
RUN python3 /src/install_tree.py /src /opt/finetune


FROM ${OPERATOR_ENV} AS operator
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="finetune-operator" \
      org.opencontainers.image.description="Runs the FineTuneJob operator and the prepare step" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=operator-code /opt/finetune /opt/finetune
CMD ["finetune-operator"]


FROM ${RUNNER_ENV} AS runner
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="finetune-runner" \
      org.opencontainers.image.description="Runs the stages of a FineTuneJob" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=runner-code /opt/finetune /opt/finetune
CMD ["finetune-runner"]


FROM runtime AS runner-thin
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="finetune-runner-thin" \
      org.opencontainers.image.description="Runs the stages of a FineTuneJob in an environment mounted at /opt/venv" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=runner-code /opt/finetune /opt/finetune
CMD ["finetune-runner"]
