# Bonafide in a container: nothing but the binary, its configuration and the C library; no shell, no root.
#   docker build -t bonafide .
#   docker run --read-only -p 127.0.0.1:5000:5000 -v bonafide:/var/lib/bonafide bonafide

FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --locked --release --bin bonafide
# In a container the loopback address is nobody's: the default configuration, on every address of the container.
RUN mkdir -p /image/etc/bonafide /image/var/lib/bonafide \
    && sed -E 's/^(listen = ")127\.0\.0\.1:/\10.0.0.0:/' config/default.toml > /image/etc/bonafide/bonafide.toml \
    && grep -q '^listen = "0.0.0.0:5000"' /image/etc/bonafide/bonafide.toml \
    && target/release/bonafide config check --config /image/etc/bonafide/bonafide.toml

# The C library and libgcc of the build stage's Debian, CA certificates, and the user `nonroot` (65532).
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /source/target/release/bonafide /usr/bin/bonafide
COPY --from=build /image/etc/bonafide /etc/bonafide
COPY --from=build --chown=nonroot:nonroot /image/var/lib/bonafide /var/lib/bonafide
ENV BONAFIDE_CONFIG=/etc/bonafide/bonafide.toml
VOLUME /var/lib/bonafide
EXPOSE 5000 5001
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/bonafide"]
CMD ["serve"]
