import type { Command } from 'commander';
import { z } from 'zod';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { readTextFile } from './files.js';

/** What `POST /apply` answers: the changes, and the same as text for people (empty = nothing to do). */
const applySchema = z.object({ changes: z.array(z.unknown()), text: z.string() });

export interface SiteFileOptions {
  readonly file: string;
  readonly prune?: boolean;
}

/** The options that `apply` and `diff` share. */
export function addSiteFileOptions(command: Command): Command {
  return command
    .requiredOption('-f, --file <file>', 'the site file, "-" for standard input')
    .option('--prune', 'also remove what the file does not hold');
}

/** Sends a site file. With `dryRun` the server only says what would change. Nothing is applied by halves. */
export async function sendSiteFile(
  cli: Cli,
  options: SiteFileOptions,
  dryRun: boolean,
): Promise<{ readonly answer: unknown; readonly count: number; readonly text: string }> {
  const yaml = await readTextFile(options.file, '--file', cli.io.stdin);
  const api = await cli.connect();
  const answer = await api.request('POST', '/apply', {
    query: { dryRun: dryRun || undefined, prune: options.prune },
    yaml,
  });
  const { changes, text } = readAnswer(applySchema, answer, 'apply');
  return { answer, count: changes.length, text: text.replace(/\n$/, '') };
}

/** `+` lines green, `-` red, `~` yellow. */
export function paintDiff(cli: Cli, text: string): readonly string[] {
  return text.split('\n').map((line) => {
    if (/^\s*\+/.test(line)) return cli.style.good(line);
    if (/^\s*-/.test(line)) return cli.style.bad(line);
    return /^\s*~/.test(line) ? cli.style.warn(line) : line;
  });
}
