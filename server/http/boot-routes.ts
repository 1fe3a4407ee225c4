import { type Request, type RequestHandler, type Response, Router } from 'express';
import type { AnswerBoot, BootAnswer, BootFile, FileBoot, Requester } from '../boot/contract.js';
import { andThen } from '../domain/maybe-promise.js';
import { peerAddress } from './agent.js';
import { STATUS } from './errors.js';

/** `/boot/…` (scripts and boot loaders) and `/files/…` (the site's own) as HTTP answers: the same names as over TFTP. */
export function answerBoot(boot: FileBoot): AnswerBoot {
  return (path, requester) => {
    let name = path.replace(/^\/+/, '');
    if (name.includes('//')) name = name.replace(/\/{2,}/g, '/');
    if (name.includes('%')) {
      try {
        name = decodeURIComponent(name);
      } catch {
        const reason = 'the name is not valid percent-encoding';
        boot.refused(requester, path, reason);
        return { kind: 'none', status: 400, reason };
      }
    }
    // Scripts are named /boot/ipxe/MAC; a loader is /boot/snponly.efi here and snponly.efi over TFTP: both resolve by last segment.
    return andThen(boot.resolve(name, requester), answerOf);
  };
}

function answerOf(file: BootFile): BootAnswer {
  switch (file.kind) {
    case 'none':
      return {
        kind: 'none',
        status: file.code === 'unauthorized' ? 403 : STATUS[file.code],
        reason: file.reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 200),
      };
    case 'text':
      return { kind: 'text', text: file.text, contentType: file.contentType };
    case 'file':
      return { kind: 'file', name: file.name, path: file.path, contentType: file.contentType };
  }
}

/**
 * The same names on the main server. Connections of the network that ask for a file never get here: the front gives them to the
 * process that streams (ADR 4, ADR 6); this answers scripts on connections that began with something else, and the unix socket.
 */
export function bootRoutes(
  prefix: string,
  boot: FileBoot,
  log: { error(data: object, message: string): void },
): Router {
  const router = Router();
  const answer = answerBoot(boot);
  router.use((request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      boot.refused(requesterOf(request), request.originalUrl, `method ${request.method}: only GET and HEAD are served`);
      response.set('Allow', 'GET, HEAD').status(405).type('text/plain').send('only GET and HEAD\n');
      return;
    }
    serve(answer, prefix + request.path, request, response).catch((error: unknown) => {
      log.error({ error, url: request.originalUrl }, 'a boot file could not be served');
      next(error);
    });
  });
  return router;
}

/**
 * Every path that is nothing else on the main server, as a name of the same name space: loaders ask for `autoexec.ipxe` and
 * `grub/grub.cfg` at the root, too, and what is refused gets its reason into the events. A file is fetched below /boot/.
 */
export function otherNames(boot: FileBoot): RequestHandler {
  const answer = answerBoot(boot);
  return async (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      next();
      return;
    }
    const file = await answer(request.path, requesterOf(request));
    if (file.kind === 'file') {
      const last = file.name.slice(file.name.lastIndexOf('/') + 1);
      response.set('Connection', 'close').redirect(307, `/boot/${encodeURIComponent(last)}`);
    } else send(file, request, response);
  };
}

const requesterOf = (request: Request): Requester => ({ protocol: 'http', address: peerAddress(request) });

async function serve(answer: AnswerBoot, path: string, request: Request, response: Response): Promise<void> {
  const file = await answer(path, requesterOf(request));
  // A new connection finds the image behind the script without a detour.
  response.set('Connection', 'close').set('X-Content-Type-Options', 'nosniff').set('Cache-Control', 'no-store');
  if (file.kind !== 'file') {
    send(file, request, response);
    return;
  }
  response.set('Content-Type', file.contentType);
  await new Promise<void>((resolve, reject) => {
    response.sendFile(file.path, { dotfiles: 'allow', cacheControl: false }, (error) =>
      error ? reject(error) : resolve(),
    );
  });
}

function send(file: Exclude<BootAnswer, { kind: 'file' }>, request: Request, response: Response): void {
  response.set('Connection', 'close').set('X-Content-Type-Options', 'nosniff').set('Cache-Control', 'no-store');
  if (file.kind === 'none') {
    response.statusMessage = file.reason;
    response.status(file.status).type('text/plain').send(`${file.reason}\n`);
    return;
  }
  response.set('Content-Type', file.contentType).set('Content-Length', String(Buffer.byteLength(file.text)));
  response.send(request.method === 'HEAD' ? undefined : file.text);
}
