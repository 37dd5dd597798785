# One image for pipeline, simulator and dashboard. It contains tigramite (GPL-3.0-or-later): read NOTICE before you
# hand the image to others.
FROM python:3.12-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir "uv>=0.13,<0.14"
WORKDIR /app
# Packages first: they change less often than the code, so this layer is reused.
COPY pyproject.toml uv.lock README.md LICENSE NOTICE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY telemetry telemetry
COPY ingest ingest
COPY parsing parsing
COPY detection detection
COPY rca rca
COPY storage storage
COPY simulation simulation
COPY faultline faultline
COPY dashboard dashboard
COPY benchmarks benchmarks
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim-bookworm
RUN useradd --uid 10001 --create-home faultline && install -d -o faultline -g faultline /data
COPY --from=build /app/.venv /app/.venv
COPY LICENSE NOTICE /app/
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 FAULTLINE_STORE=/data/store
USER faultline
WORKDIR /data
VOLUME /data
ENTRYPOINT ["faultline"]
CMD ["--help"]
