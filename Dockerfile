# One image with the programs worker, webhook and simulator; the command chooses one. Built by `docker compose build`.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
ENV SQLX_OFFLINE=true
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --package worker --package webhook --package simulator --bins \
    && mkdir /programs \
    && cp target/release/worker target/release/webhook target/release/simulator /programs/

FROM debian:bookworm-slim AS run
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin service
COPY --from=build /programs/ /usr/local/bin/
# The worker contains the migrations; these copies are for reading them or applying them by hand.
COPY migrations /usr/share/calls/migrations
USER 10001
CMD ["worker"]
