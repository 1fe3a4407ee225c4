import type { Command } from 'commander';
import { invalid } from '../domain/errors.js';
import { JOB_KINDS } from '../domain/job.js';
import { readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { withExamples } from './examples.js';
import { runJobs, type WishedJob } from './job-run.js';
import { type JobAnswer, jobSchema, jobWithOutputSchema } from './job-schema.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';
import { paintState } from './terminal/style.js';
import { fieldLines } from './terminal/table.js';
import { formatAge } from './terminal/units.js';

interface TargetOptions {
  readonly machine?: readonly string[];
  readonly role?: string;
  readonly label?: readonly string[];
  readonly all?: boolean;
  readonly id?: string;
  readonly timeout?: string;
  readonly expiry?: string;
  readonly wait: boolean;
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Which machines, and how long: the options of every command that makes jobs. */
function withTargets(command: Command): Command {
  return command
    .option('-m, --machine <names>', 'machine, or a range: node[1-20], node[01-20], node[1,3,7-9]; may repeat', collect)
    .option('--role <role>', 'machines of this role')
    .option('--label <key=value>', 'machines with this label; may repeat', collect)
    .option('--all', 'all machines')
    .option('--id <id>', 'transaction id: the same id is the same job, done once')
    .option('--timeout <seconds>', 'how long it may take on the machine')
    .option('--expiry <seconds>', 'how long it may wait for a machine that cannot be reached')
    .option('--no-wait', 'do not wait for results');
}

const SYSTEM_KINDS = {
  start: 'start a system',
  stop: 'stop a system; it stays stopped until it is started, or the machine boots',
  restart: 'stop and start a system',
  pause: 'let all processes of a system stand still',
  resume: 'let a paused system go on',
  kill: 'kill all processes of a system; its restart policy decides what follows',
} as const;
const MACHINE_KINDS = {
  refresh: 'let machines ask what they shall run, and make it so',
  reboot: 'reboot machines; done when they boot again',
  poweroff: 'switch machines off; done when they are silent',
} as const;

/** `anybios job …` */
export function registerJob(program: Command, cli: Cli): void {
  const job = program.command('job').description('jobs: commands to machines, recorded, each done once');
  withExamples(job, [
    ['restart a system on a whole role', 'job restart web --role web'],
    ['run a command on twenty machines', 'job exec -m "node[1-20]" -- uptime'],
    ['what became of it', 'job list'],
  ]);
  for (const [kind, what] of Object.entries(SYSTEM_KINDS)) {
    withExamples(
      withTargets(job.command(kind).description(what).argument('<system>', 'its name')).action(
        async (system: string, options: TargetOptions) => run(cli, { kind, system }, options),
      ),
      [['on one machine', `job ${kind} web -m node1`]],
    );
  }
  for (const [kind, what] of Object.entries(MACHINE_KINDS)) {
    withExamples(
      withTargets(job.command(kind).description(what)).action(async (options: TargetOptions) =>
        run(cli, { kind }, options),
      ),
      [['twenty machines', `job ${kind} -m "node[1-20]"`]],
    );
  }
  withExamples(
    withTargets(
      job
        .command('limit')
        .description('give a running system other limits, until it is composed anew')
        .argument('<system>', 'its name')
        .option('--memory <bytes>', 'bytes, or none')
        .option('--cpus <number>', 'processors, or none'),
    ).action(async (system: string, options: TargetOptions & { memory?: string; cpus?: string }) =>
      run(cli, { kind: 'limit', system, ...limits(options) }, options),
    ),
    [['half a processor', 'job limit web --cpus 0.5 -m node1']],
  );
  withExamples(
    withTargets(
      job
        .command('exec')
        .description('run a command on machines, or inside a system of them; no shell is involved')
        .argument('<command...>', 'program and arguments; write -- before them')
        .option('--system <system>', 'inside this system'),
    ).action(async (command: string[], options: TargetOptions & { system?: string }) =>
      run(cli, { kind: 'exec', command, ...(options.system === undefined ? {} : { system: options.system }) }, options),
    ),
    [
      ['on the machine', 'job exec -m node1 -- uptime'],
      ['inside a system, with a shell', "job exec -m node1 --system web -- sh -c 'ls /srv | wc -l'"],
    ],
  );
  withExamples(
    withTargets(
      job
        .command('logs')
        .description('what a system, or the live OS, has written')
        .argument('[system]', 'absent: the live OS')
        .option('-n, --lines <number>', 'how many of the last lines', '100')
        .option('-f, --follow', 'wait for more'),
    ).action(async (system: string | undefined, options: TargetOptions & { lines: string; follow?: boolean }) =>
      run(
        cli,
        {
          kind: 'logs',
          lines: number(options.lines, '--lines'),
          follow: options.follow === true,
          ...(system === undefined ? {} : { system }),
        },
        options,
      ),
    ),
    [['the last lines, and what comes', 'job logs web -f -m node1']],
  );
  withExamples(
    withTargets(
      job
        .command('move')
        .description('give the role of a machine to another, with what its systems have written on labelled disks')
        .requiredOption('--to <machine>', 'a machine that stands by, or has a role without systems'),
    ).action(async (options: TargetOptions & { to: string }) => run(cli, { kind: 'move', to: options.to }, options)),
    [['from node1 to node2', 'job move -m node1 --to node2']],
  );
  registerReading(job, cli);
}

function registerReading(job: Command, cli: Cli): void {
  withExamples(
    job
      .command('list')
      .description('list jobs, newest first')
      .option('-m, --machine <machine>', 'only of this machine')
      .option('--batch <id>', 'only those that were asked for together')
      .option('--state <state>', 'queued, sent, done, failed or timed-out')
      .option('--limit <number>', 'at most so many', '50')
      .action(async ({ limit, ...query }: { machine?: string; batch?: string; state?: string; limit: string }) => {
        const most = number(limit, '--limit');
        const { items, rows } = await listAll(await cli.connect(), '/jobs', jobSchema, { query, limit: most });
        const now = Date.now();
        cli.printTable(
          items,
          rows,
          [
            { title: 'JOB', value: (row) => row.id },
            { title: 'MACHINE', value: (row) => row.machine },
            { title: 'WHAT', value: what, elastic: true },
            { title: 'STATE', value: (row) => row.state, paint: (cell, row) => paintState(cli.style, row.state, cell) },
            { title: 'BY', value: (row) => row.by },
            { title: 'ASKED', value: (row) => formatAge(row.createdAt, now) },
            { title: 'MESSAGE', value: (row) => row.message ?? '', elastic: true },
          ],
          'no jobs',
        );
      }),
    [
      ['the newest', 'job list'],
      ['those that wait', 'job list --state queued'],
    ],
  );
  withExamples(
    job
      .command('show')
      .description('show one job with its output')
      .argument('<id>', 'its id')
      .action(async (id: string) => {
        const answer = await (await cli.connect()).get(`/jobs/${encodeURIComponent(id)}`);
        cli.print(answer, () => {
          const { output } = readAnswer(jobWithOutputSchema, answer, 'job');
          const { output: _shownBelow, ...rest } = answer as Record<string, unknown>;
          return [...fieldLines(describeFields(rest)), ...(output === '' ? [] : ['', output.replace(/\n$/, '')])];
        });
      }),
    [['one job', 'job show 1f0c3a5b7d9e2468']],
  );
  withExamples(
    job
      .command('cancel')
      .description('end a job: one that was not sent is not; a command that runs is killed')
      .argument('<id>', 'its id')
      .action(async (id: string) => {
        const answer = await (await cli.connect()).request('POST', `/jobs/${encodeURIComponent(id)}/cancel`);
        cli.print(answer, () => [`${id}: ${readAnswer(jobSchema, answer, 'job').message ?? 'cancelled'}`]);
      }),
    [['one job', 'job cancel 1f0c3a5b7d9e2468']],
  );
}

function what({ kind, system, command = [] }: JobAnswer): string {
  return [kind, system, command.join(' ')].filter((word) => word !== undefined && word !== '').join(' ');
}

async function run(
  cli: Cli,
  wish: { readonly kind: string } & Record<string, unknown>,
  options: TargetOptions,
): Promise<void> {
  if (!JOB_KINDS.some((kind) => kind === wish.kind)) throw invalid(`no job is called ${wish.kind}`);
  const { machine, role, label = [], all, id, timeout, expiry } = options;
  const labels = Object.fromEntries(label.map(keyAndValue));
  const body: WishedJob = {
    ...wish,
    machines: {
      ...(machine === undefined ? {} : { names: machine }),
      ...(role === undefined ? {} : { role }),
      ...(label.length === 0 ? {} : { labels }),
      ...(all === true ? { all } : {}),
    },
    ...(id === undefined ? {} : { id }),
    ...(timeout === undefined ? {} : { timeoutSeconds: number(timeout, '--timeout') }),
    ...(expiry === undefined ? {} : { expirySeconds: number(expiry, '--expiry') }),
  };
  if (Object.keys(body.machines).length === 0)
    throw invalid('no machine is named', { remedy: 'use -m NAME, --role, --label or --all' });
  await runJobs(cli, body, options.wait);
}

function keyAndValue(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw invalid(`"${text}" is not key=value`, { field: '--label', remedy: 'e.g. --label rack=r1' });
  return [text.slice(0, at), text.slice(at + 1)];
}

function number(text: string, field: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw invalid(`"${text}" is not a number`, { field });
  return value;
}

function limits({ memory, cpus }: { readonly memory?: string; readonly cpus?: string }): Record<string, unknown> {
  const limit = (text: string, field: string): number | 'none' => (text === 'none' ? text : number(text, field));
  return {
    ...(memory === undefined ? {} : { memoryBytes: limit(memory, '--memory') }),
    ...(cpus === undefined ? {} : { cpus: limit(cpus, '--cpus') }),
  };
}
