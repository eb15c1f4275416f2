# The worker, on Debian 13:    docker build -t tidewheel .    docker run --rm tidewheel version
#
# The first stage also holds the generator of shop events, which docker-compose.yml runs from there.

FROM debian:13-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc libc6-dev make pkg-config \
        librdkafka-dev libhiredis-dev libssl-dev libyajl-dev libyaml-dev libxxhash-dev libmicrohttpd-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY include include
COPY src src
COPY tests/kit tests/kit
RUN make -j"$(nproc)" build/tidewheel build/tidewheel-generate

FROM debian:13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates librdkafka1 libhiredis1.1.0 libssl3t64 libyajl2 libyaml-0-2 libxxhash0 \
        libmicrohttpd12t64 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tidewheel
COPY --from=build /src/build/tidewheel /usr/local/bin/tidewheel
COPY config/tidewheel.yaml /etc/tidewheel/config/
COPY pipelines /etc/tidewheel/pipelines
WORKDIR /etc/tidewheel
USER 10001
EXPOSE 4196
# That its threads turn, not that it has caught up: Docker does nothing about the latter, and Kubernetes,
# which has probes of its own, takes no notice of this line.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["tidewheel", "healthcheck"]
ENTRYPOINT ["tidewheel"]
CMD ["run"]
