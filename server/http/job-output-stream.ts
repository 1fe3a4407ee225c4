import type { ServerResponse } from 'node:http';
import type { OutputReader } from '../control/job-output.js';
import type { Jobs } from '../control/jobs.js';

/** A client that takes nothing for so long is cut off: it must not hold up a console for ever. */
const STUCK_MS = 60_000;

/** Sends the output of a job as it comes. Settles when the job, the client or the server ends. */
export async function streamJobOutput(
  jobs: Pick<Jobs, 'read' | 'drained'>,
  id: string,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  let stuck: NodeJS.Timeout | undefined;
  const start = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Cache-Control': 'no-store',
      // nginx in front would hold the stream back otherwise.
      'X-Accel-Buffering': 'no',
    });
    response.flushHeaders();
  };
  const reader: OutputReader = {
    take: (chunk) => {
      start();
      if (response.write(chunk)) return true;
      stuck ??= setTimeout(() => response.destroy(), STUCK_MS);
      return false;
    },
    end: finish,
  };
  response.on('drain', () => {
    clearTimeout(stuck);
    stuck = undefined;
    jobs.drained(id, reader);
  });
  response.once('close', finish);
  closing.addEventListener('abort', finish, { once: true });
  // Throws for an unknown job, before anything was sent.
  const leave = await jobs.read(id, reader);
  start();
  try {
    await finished;
  } finally {
    clearTimeout(stuck);
    leave();
    closing.removeEventListener('abort', finish);
    response.end();
  }
}
