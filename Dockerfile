# What to build on, and where pip looks; docs/deployment.md says what each is for.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_FIND_LINKS
COPY . /build
RUN python3 -m venv /opt/dpdash && /opt/dpdash/bin/pip install --no-cache-dir "/build[extras]"

FROM ${BASE}
COPY --from=build /opt/dpdash /opt/dpdash
# 1000, as hosts of containers want it. What is kept belongs to whoever trains.
RUN useradd --create-home --uid 1000 dpdash && install --directory --owner=dpdash /data
USER 1000
WORKDIR /data
VOLUME /data
ENV PATH=/opt/dpdash/bin:$PATH DPDASH_DATABASE_URL=sqlite:////data/runs.db PYTHONUNBUFFERED=1
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python3", "-c", "import os, urllib.request as web; \
web.urlopen('http://127.0.0.1:8501/' + os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/') + '/_stcore/health')"]
CMD ["dpdash", "serve", "--no-qr"]
