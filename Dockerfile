# The server with its boot assets. The first stage builds everything as "npm run setup" does on a machine, and the hardware flavour;
# the second holds what a running server needs and nothing that builds.
FROM node:24-bookworm-slim AS build
WORKDIR /anybios
COPY package.json package-lock.json tsconfig.json ./
COPY boot-assets ./boot-assets
COPY profiles ./profiles
COPY server ./server
RUN apt-get update && sh boot-assets/setup.sh && sh boot-assets/build.sh --flavour hardware && npm prune --omit=dev && rm -rf boot-assets/cache

FROM node:24-bookworm-slim
# A process that is not root gets the capabilities of docker-compose.yml only through the program's file: ports 67 and 69 below 1024
# (net_bind_service), and answers to machines that have no address yet, on one named interface (net_raw).
RUN apt-get update \
  && apt-get install -y --no-install-recommends libcap2-bin \
  && setcap cap_net_bind_service,cap_net_raw+ep /usr/local/bin/node \
  && apt-get purge -y --auto-remove libcap2-bin \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir /data && chown node:node /data
WORKDIR /anybios
COPY --from=build /anybios/package.json ./
COPY --from=build /anybios/node_modules ./node_modules
COPY --from=build /anybios/dist ./dist
COPY --from=build /anybios/server/web ./server/web
COPY --from=build /anybios/profiles ./profiles
COPY --from=build /anybios/boot-assets/out ./boot-assets/out
ENV NODE_ENV=production ANYBIOS_DATA_DIR=/data
USER node
VOLUME /data
ENTRYPOINT ["node", "--min-semi-space-size=32", "--max-semi-space-size=32", "--initial-old-space-size=256", "/anybios/dist/cli/anybios.js"]
CMD ["serve", "--config", "/etc/anybios/anybios.yaml"]
