import { invalid } from '../domain/errors.js';
import type { JobKind, JobOrder } from '../domain/job.js';

/** What somebody asks for, before it is known to fit together. */
export type JobWish = { readonly kind: JobKind } & {
  readonly [K in Exclude<keyof JobOrder, 'kind' | 'machine'>]?: JobOrder[K] | undefined;
};

type Field = Exclude<keyof JobWish, 'kind' | 'timeoutSeconds'>;

/** Which fields a kind needs and which it may have, and how long it may take by default (a `start` may load an image). */
const KINDS: Readonly<
  Record<JobKind, { readonly needs: readonly Field[]; readonly may: readonly Field[]; readonly seconds: number }>
> = {
  start: { needs: ['system'], may: [], seconds: 600 },
  stop: { needs: ['system'], may: [], seconds: 120 },
  restart: { needs: ['system'], may: [], seconds: 600 },
  pause: { needs: ['system'], may: [], seconds: 60 },
  resume: { needs: ['system'], may: [], seconds: 60 },
  kill: { needs: ['system'], may: [], seconds: 60 },
  limit: { needs: ['system'], may: ['memoryBytes', 'cpus'], seconds: 60 },
  refresh: { needs: [], may: [], seconds: 900 },
  exec: { needs: ['command'], may: ['system'], seconds: 3600 },
  reboot: { needs: [], may: [], seconds: 900 },
  poweroff: { needs: [], may: [], seconds: 300 },
  move: { needs: ['to'], may: [], seconds: 86_400 },
  logs: { needs: [], may: ['system', 'lines', 'follow'], seconds: 86_400 },
  console: { needs: [], may: ['system'], seconds: 86_400 },
};

/** Of a command: what fits well into one request to the machine. */
const COMMAND_LIMIT_BYTES = 128 * 1024;

/** A system's name becomes a file name and a word of the protocol: the same rule as in site files. */
const SYSTEM = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** The order of a wish, with its defaults. Throws `invalid` for a field that is missing, or that the kind does not have. */
export function jobOrder(machine: string, wish: JobWish): JobOrder {
  const { kind } = wish;
  const { needs, may, seconds } = KINDS[kind];
  const fields: readonly Field[] = ['system', 'command', 'memoryBytes', 'cpus', 'lines', 'follow', 'to'];
  for (const field of fields) {
    const there = wish[field] !== undefined;
    if (needs.includes(field) && !there) throw invalid(`${kind} needs ${field}`, { field });
    if (there && !needs.includes(field) && !may.includes(field)) throw invalid(`${kind} has no ${field}`, { field });
  }
  if (kind === 'limit' && wish.memoryBytes === undefined && wish.cpus === undefined)
    throw invalid('limit needs memory or cpus', { field: 'memory' });
  if (wish.system !== undefined && !SYSTEM.test(wish.system))
    throw invalid(`"${wish.system.slice(0, 80)}" is no name of a system`, { field: 'system' });
  checkCommand(wish.command);
  const given = Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
  return { timeoutSeconds: seconds, ...given, machine, kind };
}

function checkCommand(command: readonly string[] | undefined): void {
  if (command === undefined) return;
  if (command[0] === undefined || command[0] === '')
    throw invalid('the command is empty', { field: 'command', remedy: 'e.g. ["uptime"] or ["/bin/sh", "-c", "…"]' });
  // A C string ends there: the machine would run something else than was asked for.
  if (command.some((word) => word.includes('\0'))) throw invalid('the command holds a zero byte', { field: 'command' });
  if (command.reduce((sum, word) => sum + word.length * 4 + 16, 0) > COMMAND_LIMIT_BYTES * 4)
    throw invalid(`the command is longer than ${COMMAND_LIMIT_BYTES} bytes`, {
      field: 'command',
      remedy: 'put a script into an image or a file of the system, and run that',
    });
}

/** Whether two orders are the same: an id stands for one. */
export function sameOrder(a: JobOrder, b: JobOrder): boolean {
  const core = ({ machine, kind, system, command, memoryBytes, cpus, lines, follow, to }: JobOrder): string =>
    JSON.stringify([machine, kind, system, command, memoryBytes, cpus, lines, follow, to]);
  return core(a) === core(b);
}
