import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnybiosError } from '../domain/errors.js';
import { hasSignaturePolicy, type MadeRootfs, makeRootfs } from '../rootfs/make-rootfs.js';
import { parseSource } from '../rootfs/source.js';
import type { Cli } from './cli.js';
import { parseDuration } from './duration.js';
import type { ImportOptions } from './image-plan.js';
import { formatBytes } from './terminal/units.js';

const DEFAULT_TIMEOUT = '1h';
const SHOWN = 10;

/**
 * Makes a squashfs of `--from` on this computer (its files and registry logins are here), tells what is in it that a person should
 * know, and gives it to `use`. What was made is removed afterwards, also after Ctrl-C.
 */
export async function makeFromSource(
  cli: Cli,
  from: string,
  options: ImportOptions,
  maxBytes: number,
  use: (made: MadeRootfs) => Promise<void>,
): Promise<void> {
  const source = parseSource(from);
  const milliseconds = parseDuration(options.timeout ?? DEFAULT_TIMEOUT, '--timeout');
  const stop = new AbortController();
  const late = (): void =>
    stop.abort(
      new AnybiosError('unavailable', `it took longer than ${options.timeout ?? DEFAULT_TIMEOUT}`, {
        field: '--timeout',
        remedy: 'allow more time: --timeout 3h',
      }),
    );
  const interrupted = (): void => stop.abort(new AnybiosError('conflict', 'interrupted'));
  const timer = setTimeout(late, milliseconds);
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const dir = await mkdtemp(join(tmpdir(), 'anybios-import-'));
  let progress = cli.progress('', undefined);
  let label = '';
  try {
    const made = await makeRootfs(source, {
      dir,
      env: cli.io.env,
      stdin: cli.io.stdin,
      maxBytes,
      signal: stop.signal,
      arch: options.arch ?? 'amd64',
      plainHttp: options.plainHttp === true,
      keepDevices: options.keepDevices === true,
      hasPolicy: hasSignaturePolicy(),
      say: (step) => cli.note(step),
      progress: (now, bytes, total) => {
        if (now !== label) {
          progress.end();
          progress = cli.progress(now, total);
          label = now;
        }
        progress.set(bytes, total);
      },
    });
    progress.end();
    for (const line of noteLines(made)) cli.note(line);
    await use(made);
  } catch (error) {
    if (stop.signal.aborted && stop.signal.reason instanceof AnybiosError) throw stop.signal.reason;
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Programs that run as somebody else are never taken over without a word. */
function noteLines({ source, facts, capabilities, droppedDevices }: MadeRootfs): readonly string[] {
  const lines = [`${source}: ${facts.entries} files, ${formatBytes(facts.bytes)} unpacked`];
  const tell = (what: string, paths: readonly string[]): void => {
    if (paths.length === 0) return;
    const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : '';
    lines.push(`${what}: ${paths.slice(0, SHOWN).join(' ')}${more}`);
  };
  tell('setuid or setgid, kept', facts.setuid);
  tell('with capabilities, kept', capabilities);
  tell('devices left out (--keep-devices keeps them)', droppedDevices);
  tell('devices kept', facts.devices);
  return lines;
}
