import type { BootSession } from '../domain/boot-session.js';
import type { NewEvent } from '../domain/event.js';
import type { Job } from '../domain/job.js';

/** A step of a job as an event of its machine's timeline. `session`: the newest boot of the machine. */
export function jobEvent(job: Job, source: 'api' | 'server', session: BootSession | undefined): Omit<NewEvent, 'at'> {
  const { id, kind, machine, system, by, state, exit, message, batch } = job;
  const why = message === undefined || state === 'queued' || state === 'sent' ? '' : `: ${message}`;
  return {
    source,
    kind: `job.${state}`,
    level: state === 'failed' || state === 'timed-out' ? 'warning' : 'info',
    machine,
    ...(session === undefined ? {} : { session: session.id, mac: session.mac }),
    message: `job ${id}, ${describeJob(job)}: ${state}${state === 'queued' ? ` by ${by}` : why}`,
    data: {
      job: id,
      kind,
      by,
      ...(system === undefined ? {} : { system }),
      ...(batch === undefined ? {} : { batch }),
      ...(exit === undefined ? {} : { exit }),
    },
  };
}

/** `restart web`, `exec uptime -p`: what it does, short. */
function describeJob({ kind, system, to, command = [] }: Job): string {
  return [kind, system, to === undefined ? undefined : `to ${to}`, command.join(' ').replace(/\s+/g, ' ').slice(0, 80)]
    .filter((word) => word !== undefined && word !== '')
    .join(' ');
}
