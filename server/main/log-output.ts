import { type DestinationStream, pino } from 'pino';

/** The longest that a line waits for others. */
const FLUSH_MS = 100;

/**
 * The log, written without holding up packets: lines that come together leave together. A timer runs only while a line waits; pino's
 * own (`periodicFlush`) writes ten times a second even if there is nothing, which was half of what an idle server costs.
 */
export function logOutput(): DestinationStream & { flush(): void; flushSync(): void } {
  const output = pino.destination({ sync: false, minLength: 4096 });
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    timer = undefined;
    output.flush();
  };
  return {
    write(line) {
      output.write(line);
      // Not what keeps the process alive: what is left when it ends is written by pino itself.
      if (timer === undefined) timer = setTimeout(flush, FLUSH_MS).unref();
    },
    flush: () => output.flush(),
    flushSync: () => output.flushSync(),
  };
}
