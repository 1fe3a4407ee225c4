import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, constants, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { unavailable } from '../domain/errors.js';
import { listenProblem } from '../domain/listen-problem.js';
import { type NginxPlan, nginxConfig } from './nginx-config.js';

export interface NginxLog {
  info(data: object, message: string): void;
  error(data: object, message: string): void;
}

export interface NginxOptions extends NginxPlan {
  readonly log: NginxLog;
  /** A line of its access log. */
  readonly onLine: (line: string) => void;
  /** It ended; another one is started. */
  readonly onLost: (reason: string) => void;
}

const RESTART_PAUSE = 1000;
const START_PATIENCE = 10_000;
const CLOSE_PATIENCE = 2000;
const LOOK_EVERY = 20;

/** Where Debian has it; not every PATH names it. */
const PLACES = ['/usr/sbin', '/usr/local/sbin', '/usr/local/nginx/sbin'];

/** The path of a program, as the shell would find it; undefined = not installed. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  return [...path.split(delimiter), ...PLACES].map((folder) => join(folder, name)).find((file) => existsSync(file));
}

export const NGINX_MISSING = {
  message: 'listen.images is nginx, and the program nginx is not installed',
  remedy: 'apt-get install nginx-light (its own service may be disabled), or set listen.images: sendfile',
};

/**
 * The nginx that sends images for us (`listen.images: nginx`): a child of this process, with a configuration of ours in a folder of
 * its own. It is started again when it dies and ends with us, even when we are killed (the parent-death signal of setpriv).
 */
export class NginxProcess {
  readonly #options: NginxOptions;
  #child: ChildProcess | undefined;
  #access: Socket | undefined;
  #restart: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(options: NginxOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it accepts connections. Rejects with a remedy when it is missing or its port is taken. */
  async start(): Promise<void> {
    const { dir, log } = this.#options;
    const program = findProgram('nginx');
    if (program === undefined)
      throw unavailable(NGINX_MISSING.message, { field: 'listen.images', remedy: NGINX_MISSING.remedy });
    mkdirSync(dir, { recursive: true });
    const config = join(dir, 'nginx.conf');
    writeFileSync(config, nginxConfig(this.#options));
    chmodSync(config, 0o644);
    await endStale(dir, config);
    this.#access = listenToFifo(join(dir, 'access.fifo'), this.#options.onLine);
    await this.#run(program, config);
    log.info({ pid: this.pid, config }, 'nginx sends the images');
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined) {
      this.#access?.destroy();
      return;
    }
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const impatient = setTimeout(() => child.kill('SIGKILL'), CLOSE_PATIENCE);
    await ended;
    clearTimeout(impatient);
    this.#access?.destroy();
  }

  #run(program: string, config: string): Promise<void> {
    const { dir, log, onLost } = this.#options;
    const words = [program, '-c', config, '-p', dir, '-e', 'stderr'];
    const setpriv = findProgram('setpriv');
    const [command = program, ...args] = setpriv === undefined ? words : [setpriv, '--pdeathsig', 'TERM', ...words];
    rmSync(join(dir, 'nginx.pid'), { force: true });
    // A process group of its own: Ctrl-C is for us, and its serving processes can be ended with it.
    const child = spawn(command, args, { env: {}, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    let said = '';
    createInterface({ input: child.stderr }).on('line', (line) => {
      said = line;
      log.error({ nginx: line }, 'nginx');
    });
    return new Promise((resolve, reject) => {
      let ready = false;
      const begun = performance.now();
      const look = setInterval(() => {
        // Written when its sockets are open.
        if (pidIn(dir) === child.pid) {
          ready = true;
          clearInterval(look);
          resolve();
        } else if (performance.now() - begun > START_PATIENCE) child.kill('SIGKILL');
      }, LOOK_EVERY);
      child.once('error', (error) => {
        clearInterval(look);
        reject(error);
      });
      child.once('exit', (code, signal) => {
        clearInterval(look);
        this.#child = undefined;
        endGroup(child.pid);
        const reason = `nginx ended (${signal ?? `code ${code}`})`;
        reject(this.#startProblem(reason, said));
        if (this.#closing || (!ready && this.#restart === undefined)) return;
        log.error({ reason, said }, 'nginx ended, it is started again');
        onLost(reason);
        this.#restart = setTimeout(() => {
          // A failure leads here again, by its exit.
          this.#run(program, config).catch((error: unknown) => log.error({ error }, 'no HTTP at the moment'));
        }, RESTART_PAUSE);
      });
    });
  }

  #startProblem(reason: string, said: string): Error {
    const code = /bind\(\).*\((98|13):/.exec(said)?.[1];
    const known = { '98': 'EADDRINUSE', '13': 'EACCES' }[code ?? ''];
    if (known !== undefined)
      return listenProblem(Object.assign(new Error(said), { code: known }), '0.0.0.0', this.#options.port, 'http');
    return unavailable(`nginx does not start: ${said === '' ? reason : said}`, {
      field: 'listen.images',
      remedy: 'mend what it says, or set listen.images: sendfile',
    });
  }
}

/** When the master process is killed, the others would go on with its port. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // Nobody is left, as it should be.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * The access log: a named pipe loses no line, and nginx can open it (it cannot open the sockets that Node gives to children). Opened
 * for both directions, so that it does not end with the nginx that wrote to it.
 */
function listenToFifo(path: string, onLine: (line: string) => void): Socket {
  rmSync(path, { force: true });
  execFileSync('mkfifo', ['-m', '600', path]);
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const pipe = new Socket({ fd, readable: true, writable: false });
  createInterface({ input: pipe }).on('line', onLine);
  return pipe;
}

function pidIn(dir: string): number | undefined {
  const path = join(dir, 'nginx.pid');
  return existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : undefined;
}

/** One that an earlier server left behind (killed where there is no setpriv): told by its configuration, not by its number alone. */
async function endStale(dir: string, config: string): Promise<void> {
  const pid = pidIn(dir);
  const isOurs = (): boolean => {
    const path = `/proc/${pid}/cmdline`;
    return pid !== undefined && existsSync(path) && readFileSync(path, 'utf8').includes(config);
  };
  if (pid === undefined || !isOurs()) return;
  process.kill(pid, 'SIGTERM');
  const begun = performance.now();
  while (isOurs() && performance.now() - begun < CLOSE_PATIENCE)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
}
