# syntax=docker/dockerfile:1
# One image for control plane, agents and every command. It copies the tree (only `heliostat` is a
# wheel) and runs as a user without rights; nothing is installed that the lock does not name.

FROM python:3.11-slim-bookworm AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
COPY requirements-server.lock /tmp/
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: -r /tmp/requirements-server.lock

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/heliostat --create-home heliostat \
 && install -d -o heliostat -g heliostat /etc/heliostat/certs
COPY --from=packages /opt/venv /opt/venv
COPY . /opt/heliostat
# What imports must be readable by everybody, whoever built the image; bytecode is made once, here.
RUN chmod -R a+rX /opt/heliostat \
 && printf '#!/bin/sh\nexec /opt/venv/bin/python -m heliostat "$@"\n' > /usr/local/bin/heliostat \
 && chmod 755 /usr/local/bin/heliostat \
 && /opt/venv/bin/python -m compileall -q /opt/heliostat
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/heliostat \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/tmp/numba
USER heliostat
WORKDIR /var/lib/heliostat
# Control plane: gRPC, metrics, page. Agent: local API, metrics.
EXPOSE 7443 9464 8321 7444 9465
ENTRYPOINT ["heliostat"]
CMD ["--help"]
