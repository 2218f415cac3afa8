# The HTTP server. The component and the data are mounted, or copied by an image FROM this one:
#
#   docker build -t iommap-server -f container/server.Dockerfile "$(ci/static.sh)"
#   docker run --read-only -v ./data:/data:ro -v ./app:/app:ro -p 8080:8080 iommap-server \
#       --listen 0.0.0.0:8080 --dir /data::/data --keep-mapped /data/country.mmdb /app/lookup.wasm
FROM scratch
COPY iommap-server /iommap-server
USER 65534:65534
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s CMD ["/iommap-server", "--check", "--listen", "0.0.0.0:8080"]
ENTRYPOINT ["/iommap-server"]
CMD ["--help"]
