import type { Command } from 'commander';
import { z } from 'zod';
import { BOOT_STAGES } from '../domain/boot-session.js';
import { invalid } from '../domain/errors.js';
import { parseMac } from '../domain/mac.js';
import { type Boot, bootSchema, type EventAnswer, eventSchema, readAnswer } from './api-schema.js';
import { watchBoots } from './boot-watch.js';
import type { Cli } from './cli.js';
import type { ApiClient } from './client.js';
import { parseDuration } from './duration.js';
import { withExamples } from './examples.js';
import { progressText } from './live-view.js';
import { listAll } from './paging.js';
import { paintState } from './terminal/style.js';
import { fieldLines, tableLines } from './terminal/table.js';
import { formatAge, formatDuration } from './terminal/units.js';

const timelineSchema = bootSchema.extend({ events: z.array(eventSchema) });

/** `anybios boot …` */
export function registerBoot(program: Command, cli: Cli): void {
  const boot = program.command('boot').description('boot sessions: what happened between power-on and running systems');
  withExamples(boot, [['machines as they boot', 'boot watch']]);

  withExamples(
    boot
      .command('list')
      .description('list boot sessions, newest first')
      .option('--machine <machine>', 'only boots of this machine')
      .option('--limit <number>', 'at most so many', '20')
      .action(async (options: { machine?: string; limit: string }) => {
        const limit = Number(options.limit);
        if (!Number.isInteger(limit) || limit < 1) {
          throw invalid(`"${options.limit}" is not a number of boots`, { field: '--limit', remedy: 'write 1 or more' });
        }
        const { items, rows } = await listAll(await cli.connect(), '/boots', bootSchema, {
          query: { machine: options.machine, limit: Math.min(limit, 500) },
          limit,
        });
        const now = Date.now();
        cli.printTable(
          items,
          rows,
          [
            { title: 'SESSION', value: (row) => row.session },
            { title: 'MACHINE', value: (row) => row.key },
            { title: 'FIRMWARE', value: (row) => row.firmware },
            { title: 'STAGE', value: (row) => row.stage },
            {
              title: 'OUTCOME',
              value: (row) => row.outcome,
              paint: (cell, row) => paintState(cli.style, row.outcome, cell),
            },
            { title: 'TOOK', value: (row) => formatDuration(row.lastStepAt - row.openedAt) },
            { title: 'OPENED', value: (row) => formatAge(row.openedAt, now) },
            { title: 'DIAGNOSIS', value: (row) => row.diagnosis?.name ?? '', elastic: true },
          ],
          'no boots yet',
        );
      }),
    [
      ['the last boots', 'boot list'],
      ['of one machine', 'boot list --machine node1 --limit 5'],
    ],
  );

  withExamples(
    boot
      .command('show')
      .description('show one boot with its timeline')
      .argument('<session>', 'id of the session, as "boot list" shows it')
      .action(async (session: string) => {
        const answer = await wholeTimeline(await cli.connect(), session);
        cli.print(answer, () => timelineLines(cli, readAnswer(timelineSchema, answer, 'boot')));
      }),
    [['every step of one boot', 'boot show 01JD8Q']],
  );

  withExamples(
    boot
      .command('watch')
      .description('follow machines as they boot: one line a machine on a terminal, else one line an event')
      .argument('[machine...]', 'only these machines')
      .option('--once', 'end when all watched boots are over: exit code 0 if all succeeded, else 1')
      .option('--timeout <time>', 'end after this time, e.g. 3m')
      .action(async (names: string[], options: { once?: boolean; timeout?: string }) => {
        const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout, '--timeout');
        await watchBoots(cli, names.map(machineKey), { once: options.once === true, timeoutMs });
      }),
    [
      ['all machines', 'boot watch'],
      ['until node1 runs, for a script', 'boot watch node1 --once --timeout 5m'],
    ],
  );
}

/** Events name MACs in lower case with colons, however they were typed. */
function machineKey(text: string): string {
  return /^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text) ? parseMac(text) : text;
}

/** The answer with all its events: a boot that went in circles has more than one page. */
async function wholeTimeline(api: ApiClient, session: string): Promise<Record<string, unknown>> {
  const path = `/boots/${encodeURIComponent(session)}`;
  const events: unknown[] = [];
  let next: unknown;
  for (;;) {
    const page = (await api.get(path, { next: typeof next === 'string' ? next : undefined })) as Record<
      string,
      unknown
    >;
    if (Array.isArray(page.events)) events.push(...(page.events as readonly unknown[]));
    const { next: following, ...rest } = page;
    if (following === undefined || following === next) return { ...rest, events };
    next = following;
  }
}

function timelineLines(cli: Cli, boot: Boot & { readonly events: readonly EventAnswer[] }): readonly string[] {
  const since = (at: number): string => `+${((at - boot.openedAt) / 1000).toFixed(3)} s`;
  const stages = BOOT_STAGES.flatMap((stage) => {
    const at = boot.stages[stage];
    return at === undefined ? [] : [`${stage} ${since(at)}`];
  });
  return [
    ...fieldLines([
      ['session', boot.session],
      ['machine', boot.key],
      ['mac', boot.mac],
      ['address', boot.address],
      ['firmware', boot.firmware],
      ['opened', new Date(boot.openedAt).toISOString()],
      ['outcome', `${boot.outcome} at ${boot.stage} after ${formatDuration(boot.lastStepAt - boot.openedAt)}`],
      ['loading', boot.outcome === 'running' && boot.progress !== undefined ? progressText(boot.progress) : undefined],
      ['diagnosis', boot.diagnosis && `${boot.diagnosis.name}: ${boot.diagnosis.message}`],
      ['remedy', boot.diagnosis?.remedy],
      ['stages', stages.join(', ')],
    ]),
    '',
    ...tableLines(
      [
        { title: 'TIME', value: (event) => since(event.at), right: true },
        { title: 'EVENT', value: (event) => event.kind },
        {
          title: 'MESSAGE',
          value: (event) => event.message,
          paint: (cell, event) =>
            event.level === 'error' ? cli.style.bad(cell) : event.level === 'warning' ? cli.style.warn(cell) : cell,
          elastic: true,
        },
      ],
      boot.events,
      cli.width,
    ),
  ];
}
