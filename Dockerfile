# The image of ACGS-PGP: what the lockfile names, and the sources as they are. Nothing is compiled for the server.
# docs/operations/deploy.md says how it is run.
FROM node:26-slim AS installed
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No package's install script runs. The Node that npm brings for machines without one gives way to the base image's own, which
# `docker pull` and `--no-cache` renew.
RUN npm ci --omit=dev --ignore-scripts \
 && rm -rf node_modules/node-linux-* node_modules/node-darwin-* node_modules/node-bin-* node_modules/.bin \
 && mkdir node_modules/.bin && ln -s "$(command -v node)" node_modules/.bin/node
COPY src src
COPY deploy/image deploy/image
# Here, since whoever runs the image cannot write into it.
RUN node --disable-warning=ExperimentalWarning deploy/image/link-libraries.ts

FROM node:26-slim
LABEL org.opencontainers.image.title="acgs-pgp-v8" org.opencontainers.image.licenses="Apache-2.0"
# Nothing is generated in production: without the secrets it is given, a container says which are missing and ends.
ENV NODE_ENV=production \
    ACGS_SERVICE_ENVIRONMENT=production \
    ACGS_SERVICE_HOST=0.0.0.0 \
    ACGS_SERVICE_DATA_FOLDER=/data
WORKDIR /app
# What changes rarely comes first: a rolling update pulls the last layers only.
COPY --from=installed /app/node_modules node_modules
COPY LICENSE README.md package.json package-lock.json acgs ./
COPY config config
COPY constitutions constitutions
COPY packs packs
COPY examples examples
COPY migrations migrations
COPY deploy/image deploy/image
COPY src src
# As /tmp is: whichever number the container runs under may keep its own data there, and nobody else's is touched.
RUN mkdir /data && chmod 1777 /data
VOLUME /data
USER node
EXPOSE 8010 8000 8004 8005
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 CMD ["node", "--disable-warning=ExperimentalWarning", "deploy/image/healthcheck.ts"]
ENTRYPOINT ["/app/acgs"]
CMD ["serve", "all"]
