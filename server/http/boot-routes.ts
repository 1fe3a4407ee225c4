import { createReadStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { pipeline } from 'node:stream/promises';
import { type Request, type Response, Router } from 'express';
import type { FileBoot, Requester } from '../boot/contract.js';
import { peerAddress } from './agent.js';
import { STATUS } from './errors.js';

/**
 * `/boot/…` (scripts and boot loaders) and `/files/…` (the site's own) over HTTP: the same names as over TFTP. HEAD carries
 * Content-Length, which OVMF sizes the file with. Connections are closed after each answer, so that iPXE opens a new one for the
 * image, which then goes to the process that streams images (ADR 4).
 */
export function bootRoutes(
  prefix: string,
  boot: FileBoot,
  log: { error(data: object, message: string): void },
): Router {
  const router = Router();
  router.use((request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      boot.refused(requesterOf(request), request.originalUrl, `method ${request.method}: only GET and HEAD are served`);
      response.set('Allow', 'GET, HEAD').status(405).type('text/plain').send('only GET and HEAD\n');
      return;
    }
    serve(prefix, boot, request, response).catch((error: unknown) => {
      log.error({ error, url: request.originalUrl }, 'a boot file could not be served');
      next(error);
    });
  });
  return router;
}

const requesterOf = (request: Request): Requester => ({ protocol: 'http', address: peerAddress(request) });

async function serve(prefix: string, boot: FileBoot, request: Request, response: Response): Promise<void> {
  const requester = requesterOf(request);
  response.set('Connection', 'close').set('X-Content-Type-Options', 'nosniff');
  let name: string;
  try {
    name = decodeURIComponent(request.path.replace(/^\/+/, ''));
  } catch {
    boot.refused(requester, request.originalUrl, 'the name is not valid percent-encoding');
    response.status(400).type('text/plain').send('the name is not valid percent-encoding\n');
    return;
  }
  // Scripts are named /boot/ipxe/MAC; a loader is /boot/snponly.efi here and snponly.efi over TFTP: both resolve by last segment.
  const file = await boot.resolve(`${prefix.slice(1)}/${name}`, requester);
  if (file.kind === 'none') {
    const status = file.code === 'unauthorized' ? 403 : STATUS[file.code];
    response.statusMessage = file.reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
    response.status(status).type('text/plain').send(`${file.reason}\n`);
    return;
  }
  response.set('Content-Type', file.contentType).set('Cache-Control', 'no-store');
  if (file.kind === 'text') {
    response.set('Content-Length', String(file.body.length)).send(request.method === 'HEAD' ? undefined : file.body);
    return;
  }
  response.set('Content-Length', String(file.size));
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const started = performance.now();
  const report = (phase: 'sent' | 'failed', bytes: number, reason?: string): void =>
    boot.transfer({
      requester,
      name: file.name,
      phase,
      bytes,
      total: file.size,
      milliseconds: Math.round(performance.now() - started),
      ...(reason === undefined ? {} : { reason }),
    });
  const source = createReadStream(file.path);
  try {
    await pipeline(source, response);
    report('sent', file.size);
  } catch (error) {
    report('failed', source.bytesRead, error instanceof Error ? error.message : String(error));
  }
}
