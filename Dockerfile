# Builds scim-bridge and puts the one binary into a small image.
#
# The image needs no shell, no write access outside /data and no root:
#   docker run --read-only --cap-drop ALL -v scim-bridge-data:/data \
#     -v "$PWD/mappings/altr:/etc/scim-bridge/mappings:ro" --env-file altr.env \
#     -e SCIM_BRIDGE_TRUST_PROXY=172.17.0.0/16 -e SCIM_BRIDGE_PUBLIC_URL=https://scim.corp.example \
#     -p 8080:8080 scim-bridge

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --profile dist --package scim-bridge --bin scim-bridge
# Made here, so that the next stage can copy it with its owner.
RUN mkdir -m 0700 /empty

FROM debian:bookworm-slim
# The authorities that certificates of apps are checked against.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/target/dist/scim-bridge /usr/local/bin/scim-bridge
COPY mappings /usr/share/scim-bridge/mappings
COPY LICENSE THIRD-PARTY.md /usr/share/doc/scim-bridge/
COPY --from=build --chown=10001:10001 /empty /data

# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Journal, key and lock file. Also where SQLite puts large sorts: the root may be read-only.
VOLUME /data
WORKDIR /data
ENV SCIM_BRIDGE_DB=/data/scim-bridge.db \
    SCIM_BRIDGE_MAPPINGS=/etc/scim-bridge/mappings \
    SCIM_BRIDGE_LISTEN=0.0.0.0:8080
EXPOSE 8080 9090

# Asks /healthz of the admin listener; reads no mapping and no journal.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["scim-bridge", "health"]
# SIGTERM drains within 20 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["scim-bridge"]
CMD ["serve"]
