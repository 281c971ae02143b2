# The operator's images:
#
#   docker build --target operator    -t finetune-operator    .   # the operator and the prepare step, no torch
#   docker build --target runner      -t finetune-runner      .   # the machine-learning stack, runs the stages
#   docker build --target runner-cuda -t finetune-runner-cuda .   # the same, and runs artifacts that are made for CUDA
#
# Another target, runner-thin, is the runner with an empty /opt/venv, for an environment that
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

# onnxruntime with CUDA. Its modules have the names of those for the CPU, so it lies beside the environment and comes before it.
FROM installer AS cuda-packages
COPY requirements/cuda.txt /tmp/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/pip/bin/pip --python /opt/venv/bin/python install --no-compile --no-deps --only-binary :all: \
        --require-hashes --requirement /tmp/requirements.txt --target /opt/cuda \
 && rm /opt/cuda/onnxruntime/capi/libonnxruntime_providers_tensorrt.so \
 && /opt/venv/bin/python -m compileall -q -j 0 -x '/py3[0-9]+_[^/]*$' \
        --invalidation-mode unchecked-hash /opt/cuda

FROM runtime AS operator-env
COPY --from=operator-packages /opt/venv /opt/venv

FROM runtime AS runner-env
COPY --from=runner-packages /opt/venv /opt/venv
# Where some clouds (GKE) mount the driver; the NVIDIA container toolkit puts it where the linker looks.
ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib64


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


# What onnxruntime is linked to, in one folder: torch finds these libraries by itself, onnxruntime does not.
FROM ${RUNNER_ENV} AS cuda-libraries
USER root
COPY --from=cuda-packages /opt/cuda /opt/cuda
RUN mkdir /opt/cuda/lib \
 && bash -O failglob -c 'ln -s /opt/venv/lib/python3*/site-packages/nvidia/*/lib/lib*.so.* /opt/cuda/nvidia/*/lib/lib*.so.* /opt/cuda/lib'

FROM ${RUNNER_ENV} AS runner-cuda
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="finetune-runner-cuda" \
      org.opencontainers.image.description="Runs the stages of a FineTuneJob, and artifacts that are made for CUDA" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=cuda-packages /opt/cuda /opt/cuda
COPY --from=cuda-libraries /opt/cuda/lib /opt/cuda/lib
COPY --from=runner-code /opt/finetune /opt/finetune
ENV PYTHONPATH=/opt/cuda:/opt/finetune/lib \
    LD_LIBRARY_PATH=/opt/cuda/lib:/usr/local/nvidia/lib64
CMD ["finetune-runner"]


FROM runtime AS runner-thin
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="finetune-runner-thin" \
      org.opencontainers.image.description="Runs the stages of a FineTuneJob in an environment mounted at /opt/venv" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY --from=runner-code /opt/finetune /opt/finetune
CMD ["finetune-runner"]
