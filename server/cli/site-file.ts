import type { Command } from 'commander';
import { z } from 'zod';
import { AnybiosError } from '../domain/errors.js';
import { driftSchema, readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { readTextFile } from './files.js';

/** What `POST /apply` answers (its `text` says the same as `changes`). */
const applySchema = z.object({
  machines: z.array(z.object({ name: z.string(), effects: z.array(driftSchema) })),
  changes: z.array(z.object({ kind: z.string(), action: z.string(), name: z.string(), fields: z.array(z.string()) })),
});
type Applied = z.output<typeof applySchema>;
type Change = Applied['changes'][number];

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
): Promise<Applied & { readonly answer: unknown }> {
  const yaml = await readTextFile(options.file, '--file', cli.io.stdin);
  const api = await cli.connect();
  try {
    const query = { dryRun: dryRun || undefined, prune: options.prune };
    const answer = await api.request('POST', '/apply', { query, yaml });
    return { answer, ...readAnswer(applySchema, answer, 'apply') };
  } catch (error) {
    throw error instanceof AnybiosError ? withFileName(error, options.file) : error;
  }
}

/** The server got a text and calls it `site.yaml`; the operator's editor jumps to the file by its own name. */
function withFileName({ code, message, field, remedy }: AnybiosError, file: string): AnybiosError {
  const name = file === '-' ? '<stdin>' : file;
  return new AnybiosError(
    code,
    message.replace(/^site\.yaml(?=:\d+:)/gm, () => name),
    { ...(field === undefined ? {} : { field }), ...(remedy === undefined ? {} : { remedy }) },
  );
}

/** One line a change, as in a diff: `+ machine node1`, `~ role web: systems`, `- system db`. */
export function changeLines(cli: Cli, changes: readonly Change[]): readonly string[] {
  const { style } = cli;
  return changes.map(({ kind, action, name, fields }) => {
    if (action === 'add') return style.good(`+ ${kind} ${name}`);
    if (action === 'remove') return style.bad(`- ${kind} ${name}`);
    return style.warn(`~ ${kind} ${name}: ${fields.join(', ')}`);
  });
}
