# The worker, on Debian 13:    docker build -t tidewheel .    docker run --rm tidewheel version
#
# The first stage also holds the generator of shop events, which docker-compose.yml runs from there.

FROM debian:13-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        gcc libc6-dev make pkg-config \
        librdkafka-dev libhiredis-dev libyajl-dev libyaml-dev libxxhash-dev libmicrohttpd-dev \
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
        ca-certificates librdkafka1 libhiredis1.1.0 libyajl2 libyaml-0-2 libxxhash0 libmicrohttpd12t64 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tidewheel
COPY --from=build /src/build/tidewheel /usr/local/bin/tidewheel
COPY config /etc/tidewheel/config
COPY pipelines /etc/tidewheel/pipelines
WORKDIR /etc/tidewheel
USER 10001
# No HEALTHCHECK yet: it comes with `tidewheel healthcheck`, which does not exist so far. A process
# that merely runs is no proof of health, and Docker restarts one that has ended without any help.
ENTRYPOINT ["tidewheel"]
CMD ["run"]
