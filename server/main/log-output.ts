import { type DestinationStream, pino } from 'pino';

/** The longest that a line waits for others, in milliseconds. */
const FLUSH_MS = 100;
/** So many characters do not wait any longer. */
const MOST = 16_384;

/**
 * The log, written without holding up packets: lines that come together leave together, in one write. A timer runs only while a line
 * waits; pino's own (`periodicFlush`) writes ten times a second even if there is nothing, which was half of what an idle server costs,
 * and its own collecting counts the bytes of all that waits again for each line.
 */
export function logOutput(): DestinationStream & { flush(): void; flushSync(): void } {
  const output = pino.destination({ sync: false });
  let lines = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (lines === '') return;
    const leaving = lines;
    lines = '';
    output.write(leaving);
  };
  const flushSync = (): void => {
    flush();
    output.flushSync();
  };
  process.once('exit', flushSync);
  return {
    write(line) {
      lines += line;
      if (lines.length >= MOST) flush();
      // Not what keeps the process alive: what is left when it ends is written then.
      else timer ??= setTimeout(flush, FLUSH_MS).unref();
    },
    flush,
    flushSync,
  };
}
