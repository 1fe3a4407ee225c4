import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { answerBoot } from '../http/boot-routes.js';
import { listenOnSocket } from '../http/listen.js';
import { createDataPlane, imageSocket, prepareProxyFolder, proxySocket } from '../images/data-plane.js';
import { createHttpFront } from '../images/front.js';
import { NginxOutcomes } from '../images/nginx-outcomes.js';
import { openToNginx } from '../images/nginx-user.js';
import { createSortedServer } from '../images/sorted-server.js';
import type { Closers } from './closers.js';
import type { Core } from './open-core.js';

/** Listens on the unix socket in dataDir, then on `listen.http`: the front there, or nginx before it. */
export async function listenHttp(
  config: Config,
  app: RequestListener,
  given: { readonly core: Core; readonly log: Logger; readonly closers: Closers },
): Promise<void> {
  const { core, log, closers } = given;
  const { images, imagesDir, boot } = core;
  const local = createSortedServer(app, (connection, first) => images.handOver(connection, first));
  await listenOnSocket(local.server, join(config.dataDir, 'anybios.sock'));
  closers.push(() => local.close());

  const plane = config.listen.images;
  const outcomes = new NginxOutcomes((report) => front.hear(report));
  const behindNginx =
    plane === 'nginx' || plane === 'accel'
      ? { path: proxySocket(config.dataDir), images: imageSocket(config.dataDir), outcomes }
      : undefined;
  if (behindNginx !== undefined) prepareProxyFolder(config.dataDir);
  const front = createHttpFront({
    server: createServer({ requestTimeout: 0 }, app),
    port: config.listen.http,
    plain: plane === 'streams',
    ...(behindNginx === undefined ? {} : { behindNginx }),
    answerBoot: answerBoot(boot.boot),
    imagesDir,
    takeUpload: (connection, first) => images.handOver(connection, first),
    onTransfer: (report) => boot.boot.transfer(report),
    log,
  });
  await front.start();
  closers.push(() => front.close());
  if (plane !== 'nginx' && plane !== 'accel') return;

  openToNginx(proxySocket(config.dataDir));
  const dataPlane = createDataPlane({
    kind: plane,
    dataDir: config.dataDir,
    port: config.listen.http,
    log,
    onLine: (line) => outcomes.line(line),
    onLost: (reason) => outcomes.failAll(reason),
  });
  await dataPlane.start();
  closers.push(() => dataPlane.close());
}
