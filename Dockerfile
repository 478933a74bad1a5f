# A container with the `smoother` command.
#
#   docker build --tag smoother .
#   docker run --rm --network host --volume smoother-data:/data smoother
#
# The server listens on loopback only, so the container shares the host's network; other containers of a pod
# reach it the same way. Configuration: mount a file and name it,
#   --volume ./smoother.toml:/etc/smoother.toml:ro --env SMOOTHER_CONFIG=/etc/smoother.toml
# or set single keys, --env SMOOTHER__SERVER__LISTEN=127.0.0.1:8081. AWS credentials come from the usual chain
# (environment, web identity, container and instance roles).

# What the lock file was made with or newer; the AWS SDK asks for 1.94.1 at least.
ARG RUST=1.95
ARG DEBIAN=bookworm

FROM rust:${RUST}-${DEBIAN} AS build
WORKDIR /src
COPY . .
# The caches keep dependencies between builds; what is wanted must be copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package smoother \
    && install -D target/release/smoother /out/smoother

FROM debian:${DEBIAN}-slim
# Bedrock is reached over TLS: the roots of trust.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home smoother
COPY --from=build /out/smoother /usr/local/bin/smoother
USER smoother
WORKDIR /data
# Durable means on this volume: give it a disk that outlives the container, used by one container at a time.
VOLUME /data
ENV SMOOTHER__SERVER__DATA_DIR=/data
# SIGTERM drains: running calls finish within drain_timeout_ms, so allow more than that to stop
# (docker run --stop-timeout, terminationGracePeriodSeconds).
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/smoother"]
CMD ["serve"]
