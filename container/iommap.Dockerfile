# The command line, to be built upon: FROM it, COPY a component, and name it with its grants.
#
#   docker build -t iommap -f container/iommap.Dockerfile "$(ci/static.sh)"
FROM scratch
COPY iommap /iommap
# Nobody. What volumes hold has to be readable by it.
USER 65534:65534
ENTRYPOINT ["/iommap"]
CMD ["--help"]
