# syntax=docker/dockerfile:1

# The image of every role: `jobcast serve`, `jobcast worker`, `jobcast migrate`, `jobcast dev`.
#
#     docker build -t jobcast .
#     docker run --rm jobcast --help
#
# With jobs of your own, on top of it:
#
#     FROM jobcast
#     COPY jobs.py /app/
#     CMD ["worker", "jobs:app"]
#
# It runs as user 10001, with a read-only root file system (give it a tmpfs at /tmp), and writes to
# /data alone, and there only on SQLite. Expected size: about 300 MB, of which 130 MB are Python's.

ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never

RUN pip install uv==0.13.9

WORKDIR /build

# What Jobcast stands on changes less often than Jobcast: a layer of its own.
COPY requirements/runtime.txt requirements/dev.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    uv venv /opt/jobcast \
    && uv pip install --python /opt/jobcast --no-deps --require-hashes -r requirements/runtime.txt

COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv build --wheel --out-dir dist --require-hashes --build-constraints requirements/dev.txt \
    && uv pip install --python /opt/jobcast --no-deps dist/*.whl


FROM python:${PYTHON_VERSION}-slim-bookworm

RUN groupadd --gid 10001 jobcast \
    && useradd --uid 10001 --gid jobcast --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin jobcast \
    && install --directory --owner=jobcast --group=jobcast --mode=0700 /data

COPY --from=build /opt/jobcast /opt/jobcast

ENV PATH="/opt/jobcast/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    JOBCAST_DATA_DIR=/data \
    JOBCAST_ENV=production \
    JOBCAST_HOST=0.0.0.0 \
    PORT=3000

USER 10001:10001
WORKDIR /app
EXPOSE 3000
STOPSIGNAL SIGTERM

# Of a gateway, and of `jobcast dev`; a worker has no port (compose.yaml switches it off there).
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --start-interval=2s --retries=3 \
    CMD ["jobcast", "health"]

ENTRYPOINT ["jobcast"]
CMD ["dev"]
