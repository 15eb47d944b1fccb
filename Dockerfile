# Turbo as one native file on an image without a shell or a package manager; runs as a user without rights.
#
#   docker build -t turbo --build-arg COMMIT="$(git rev-parse HEAD)" .
#   docker run -p 8080:8080 -v turbo:/data -e OPENAI_API_KEY --stop-timeout 45 turbo
#
# The database, unless DB_ADDRESS names another, is /data/turbo.db. Stopping takes SHUTDOWN_TIMEOUT (30s) at most, and
# 10 s more where the database does not take the last event rows. How to run it: docs/operating.md.

FROM mcr.microsoft.com/dotnet/sdk:10.0-noble AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY global.json Directory.Build.props Directory.Packages.props ./
COPY scripts scripts
COPY Turbo.Net Turbo.Net
COPY Turbo.Server Turbo.Server
ARG COMMIT
RUN SourceRevisionId=$COMMIT scripts/aot && mkdir /data

# Of the same release as the image above: what it was linked with is what it runs with. It has OpenSSL and root certificates.
FROM mcr.microsoft.com/dotnet/runtime-deps:10.0-noble-chiseled
COPY --from=build /src/artifacts/aot/turbo /usr/local/bin/turbo
COPY --from=build --chown=1654:1654 /data /data
USER 1654:1654
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["turbo", "health"]
ENTRYPOINT ["turbo"]
