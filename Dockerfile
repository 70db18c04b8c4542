# syntax=docker/dockerfile:1.7
# Three images from one file:
#   docker build --target sidecar --tag assay-sidecar .   HTTP in, numbers out; no model runtime
#   docker build --target worker  --tag assay-worker  .   scores with the bundled model
#   docker build --target judge   --tag assay-judge   .   calls language models; no model runtime
# A worker for any Hugging Face cross-encoder, on torch's CPU build:
#   docker build --target worker --tag assay-worker:hf . \
#     --build-arg WORKER_EXTRAS=worker,hf,postgres --build-arg EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
# Likewise a judge worker with a causal model in its memory: --target judge, JUDGE_EXTRAS=judge,hf,postgres.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# The wheel, made of what the .dockerignore lets in.
FROM ${PYTHON_IMAGE} AS wheel
WORKDIR /src
ENV PIP_CONSTRAINT=/src/constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY service ./service
COPY workers ./workers
COPY models ./models
COPY golden_sets ./golden_sets
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheels .

# The environments. They hold no pip: it stays in this stage and installs from outside.
FROM wheel AS sidecar-environment
RUN python -m venv --without-pip /opt/assay
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/assay/bin/python install "$(echo /wheels/*.whl)[postgres]"

FROM wheel AS worker-environment
ARG WORKER_EXTRAS=worker,postgres
ARG EXTRA_INDEX_URL=""
RUN python -m venv --without-pip /opt/assay
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="${EXTRA_INDEX_URL}" \
    pip --python /opt/assay/bin/python install "$(echo /wheels/*.whl)[${WORKER_EXTRAS}]"

FROM wheel AS judge-environment
ARG JUDGE_EXTRAS=judge,postgres
ARG EXTRA_INDEX_URL=""
RUN python -m venv --without-pip /opt/assay
RUN --mount=type=cache,target=/root/.cache/pip \
    PIP_EXTRA_INDEX_URL="${EXTRA_INDEX_URL}" \
    pip --python /opt/assay/bin/python install "$(echo /wheels/*.whl)[${JUDGE_EXTRAS}]"

# What the images stand on: Python, a user without a name elsewhere, one folder to write to.
FROM ${PYTHON_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Assay" \
      org.opencontainers.image.description="How often does our LLM make things up, since when, and where?" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN python -m pip uninstall --yes --root-user-action=ignore wheel setuptools pip \
    && groupadd --gid 10001 assay \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin assay \
    && install --directory --owner=assay --group=assay --mode=0700 /data
# PYTHONSAFEPATH: nothing in the folder that can be written is ever imported. No ASSAY_DATABASE_URL here: a variable
# would win over the secret file that holds the real one.
ENV PATH=/opt/assay/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    ASSAY_HOST=0.0.0.0 \
    ASSAY_LOG_FORMAT=json
WORKDIR /data
USER 10001:10001

FROM runtime AS sidecar
COPY --from=sidecar-environment /opt/assay /opt/assay
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-m", "service.probe"]
CMD ["assay", "serve"]

FROM runtime AS worker
COPY --from=worker-environment /opt/assay /opt/assay
ENV ASSAY_BEAT_FILE=/tmp/assay-beat \
    HF_HOME=/data/huggingface
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "workers.probe"]
CMD ["assay", "worker"]

FROM runtime AS judge
COPY --from=judge-environment /opt/assay /opt/assay
ENV ASSAY_BEAT_FILE=/tmp/assay-beat \
    HF_HOME=/data/huggingface
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "workers.probe"]
CMD ["assay", "judge", "worker"]
