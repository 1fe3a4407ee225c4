import { isIPv4 } from 'node:net';
import { buffer } from 'node:stream/consumers';
import express, { type Request, type Response, Router } from 'express';
import { pack } from 'tar-stream';
import type { Claims } from '../boot/claims.js';
import type { ControlDoors } from '../boot/control-doors.js';
import type { Downloads } from '../boot/downloads.js';
import type { AnswerLines, Lines } from '../boot/machine-lines.js';
import type { MachineReports } from '../boot/machine-reports.js';
import type { RenderedFile, SystemDefinitions } from '../boot/system-definitions.js';
import type { SystemReports } from '../boot/system-reports.js';
import type { Claim } from '../domain/boot-session.js';
import { AnybiosError, invalid, unauthorized } from '../domain/errors.js';
import { type Ipv4, parseIpv4, UNSPECIFIED } from '../domain/ipv4.js';
import { STATUS } from './errors.js';

const MAX_BODY = 64 * 1024;
/** For a body to arrive: nobody has shown a credential yet, and a connection that sends nothing costs a file descriptor. */
const BODY_MILLISECONDS = 15_000;
/** Of a key; those of the protocol are words of ours, and none is longer than half of that. */
const KEY = /^[a-z][a-z0-9-]{0,63}$/;

export interface AgentDeps {
  readonly claims: Claims;
  readonly reports: MachineReports;
  readonly systems: SystemReports;
  readonly definitions: SystemDefinitions;
  readonly doors: ControlDoors;
  readonly downloads: Downloads;
  readonly log: { error(data: object, message: string): void };
  /** Default 15 s. */
  readonly bodyMilliseconds?: number;
}

/** The machine protocol, `/agent/v1` (docs/booting.md): lines of text, because stage 1 is busybox ash. */
export function agentRoutes(deps: AgentDeps): Router {
  const { claims, reports, systems, definitions, doors, downloads, log, bodyMilliseconds = BODY_MILLISECONDS } = deps;
  const router = Router();
  const readBody = express.raw({ type: () => true, limit: MAX_BODY });
  router.use((request, response, next) => {
    const tooSlow = setTimeout(() => request.socket.destroy(), bodyMilliseconds);
    readBody(request, response, (error?: unknown) => {
      clearTimeout(tooSlow);
      next(error);
    });
  });

  const answer =
    (handler: (request: Request, response: Response) => Promise<AnswerLines | undefined>) =>
    (request: Request, response: Response): void => {
      handler(request, response).then(
        (lines) => {
          if (!response.headersSent)
            response.type('text/plain').send((lines ?? []).map(([key, value]) => `${key}=${value}\n`).join(''));
        },
        (error: unknown) => refuse(response, error, log),
      );
    };
  const authenticated = async (request: Request): Promise<Claim> => {
    const [scheme, credential] = (request.headers.authorization ?? '').split(' ');
    if (scheme !== 'Bearer' || credential === undefined)
      throw unauthorized('the credential is missing', { remedy: 'claim the boot first' });
    return await claims.authenticate(credential);
  };

  router.post(
    '/claim',
    answer(async (request) => await reports.claim(parseLines(request.body), peerAddress(request))),
  );
  router.post(
    '/report',
    answer(async (request) => {
      await reports.report(await authenticated(request), parseLines(request.body));
      return undefined;
    }),
  );
  router.post(
    '/heartbeat',
    answer(async (request) => await systems.heartbeat(await authenticated(request), parseLines(request.body))),
  );
  router.post(
    '/inventory',
    answer(async (request) => {
      reports.inventory(await authenticated(request), parseLines(request.body));
      return undefined;
    }),
  );
  router.get(
    '/next',
    answer(async (request) => reports.next(await authenticated(request))),
  );
  router.post(
    '/turn',
    answer(async (request) => downloads.turn(await authenticated(request), parseLines(request.body))),
  );
  router.post(
    '/control',
    answer(async (request) =>
      doors.register(await authenticated(request), parseLines(request.body), peerAddress(request)),
    ),
  );
  router.get(
    '/systems',
    answer(async (request) => {
      return definitions.list(await authenticated(request));
    }),
  );
  router.get(
    '/systems/:name',
    answer(async (request) => definitions.system(await authenticated(request), String(request.params.name))),
  );
  router.get(
    '/systems/:name/files.tar',
    answer(async (request, response) => {
      const archive = await tarOf(definitions.systemFiles(await authenticated(request), String(request.params.name)));
      response.type('application/x-tar').send(archive);
      return undefined;
    }),
  );
  router.use(
    answer(async () => {
      throw new AnybiosError('not_found', 'no such request in the machine protocol');
    }),
  );
  // A body over the limit and the like come from express.raw, as an error with a status.
  router.use((error: unknown, _request: Request, response: Response, _next: express.NextFunction): void => {
    const tooLarge = error instanceof Error && 'type' in error && error.type === 'entity.too.large';
    refuse(response, tooLarge ? invalid(`the body is larger than ${MAX_BODY} bytes`) : error, log);
  });
  return router;
}

/**
 * IPv4 of the other end. On a unix socket: what nginx says (nobody but it and root can open that one), else 0.0.0.0.
 */
export function peerAddress(request: Request): Ipv4 {
  const text = (request.socket.remoteAddress ?? request.get('x-anybios-client') ?? '').replace(/^::ffff:/, '');
  return isIPv4(text) ? parseIpv4(text) : UNSPECIFIED;
}

/** `key=value` lines; a key may repeat. Throws `invalid` with the number of the bad line. */
export function parseLines(body: unknown): Lines {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : '';
  const lines = new Map<string, string[]>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const at = line.indexOf('=');
    if (at < 1) throw invalid(`line ${index + 1} is not key=value`, { field: `line ${index + 1}` });
    const key = line.slice(0, at);
    // They become names in events and in what is kept of the machine.
    if (!KEY.test(key))
      throw invalid(`the key of line ${index + 1} is not of small letters, digits and -`, {
        field: `line ${index + 1}`,
      });
    const values = lines.get(key);
    const value = line.slice(at + 1).replace(/\r$/, '');
    if (values === undefined) lines.set(key, [value]);
    else values.push(value);
  }
  return lines;
}

/** The own layer of a system: relative paths, root's, readable by all. Paths were checked when the system was defined. */
async function tarOf(files: readonly RenderedFile[]): Promise<Buffer> {
  const archive = pack();
  for (const file of files)
    archive.entry({ name: file.path.replace(/^\/+/, ''), mode: 0o644, mtime: new Date(0) }, file.text);
  archive.finalize();
  return await buffer(archive);
}

/** The reason goes into the status line: that is what busybox wget prints. */
function refuse(response: Response, error: unknown, log: AgentDeps['log']): void {
  const known = error instanceof AnybiosError ? error : undefined;
  if (known === undefined || known.code === 'internal' || known.code === 'unavailable')
    log.error({ error }, 'a machine’s request failed');
  const status = known === undefined ? 500 : known.code === 'unauthorized' ? 403 : STATUS[known.code];
  const reason = known?.message ?? 'internal error';
  response.statusMessage = reason.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
  response.status(status).type('text/plain').send(`error=${reason}\n`);
}
