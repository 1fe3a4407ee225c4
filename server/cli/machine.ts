import type { Command } from 'commander';
import { invalid } from '../domain/errors.js';
import { type MachineAnswer, machineSchema, readAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { driftLines } from './drift-lines.js';
import { withExamples } from './examples.js';
import { progressText } from './live-view.js';
import { openConsole } from './machine-console.js';
import { explainLines } from './machine-explain.js';
import { listAll } from './paging.js';
import { describeFields } from './terminal/describe.js';
import { paintState } from './terminal/style.js';
import { type Column, fieldLines, tableLines } from './terminal/table.js';
import { formatAge, formatDuration } from './terminal/units.js';

const at = (name: string): string => `/machines/${encodeURIComponent(name)}`;

/** `anybios machine …` */
export function registerMachine(program: Command, cli: Cli): void {
  const machine = program.command('machine').description('machines: what they are, and what they are doing');
  withExamples(machine, [['which machines are there', 'machine list']]);

  withExamples(
    machine
      .command('list')
      .description('list machines, the discovered ones too')
      .option('--status <status>', 'only machines of this status, e.g. waiting, up, lost')
      .option('--role <role>', 'only machines of this role')
      .action(async (options: { status?: string; role?: string }) => {
        const api = await cli.connect();
        const { items, rows } = await listAll(api, '/machines', machineSchema, { query: options });
        cli.printTable(items, rows, machineColumns(cli, Date.now()), 'no machines');
      }),
    [
      ['all machines', 'machine list'],
      ['those that wait for approval', 'machine list --status waiting'],
    ],
  );

  withExamples(
    machine
      .command('show')
      .description('show one machine: desired, observed, its newest boot')
      .argument('<machine>', 'name, or MAC of a discovered machine')
      .action(async (name: string) => {
        const api = await cli.connect();
        const answer = await api.get(at(name));
        cli.print(answer, () => showLines(cli, answer));
      }),
    [['one machine', 'machine show node1']],
  );

  withExamples(
    machine
      .command('approve')
      .description('make a discovered machine a machine of the site')
      .argument('<mac>', 'its MAC, as "machine list" shows it')
      .requiredOption('--name <name>', 'its name from now on')
      .option('--role <role>', 'its role')
      .option('--address <address>', 'address to reserve for it')
      .action(async (mac: string, options: { name: string; role?: string; address?: string }) => {
        const api = await cli.connect();
        const answer = await api.request('POST', `${at(mac)}/approve`, { json: options });
        cli.print(answer, () => {
          const approved = readAnswer(machineSchema, answer, 'machine');
          const role = approved.role === undefined ? 'no role yet' : `role ${approved.role}`;
          return [`${mac} is now ${approved.name} (${role})`];
        });
      }),
    [['as node7, a web server', 'machine approve 52:54:00:00:00:07 --name node7 --role web']],
  );

  withExamples(
    machine
      .command('assign')
      .description('give a machine a role; a running one changes its systems, or says why it needs a reboot')
      .argument('<machine>', 'name of the machine')
      .argument('[role]', 'name of the role')
      .option('--none', 'take its role away')
      .action(async (name: string, role: string | undefined, options: { none?: boolean }) => {
        if ((role === undefined) === (options.none !== true)) {
          throw invalid('name one role, or --none', { remedy: 'e.g. anybios machine assign node1 web' });
        }
        const api = await cli.connect();
        const answer = await api.request('PATCH', at(name), { json: { role: role ?? null } });
        cli.print(answer, () => [
          role === undefined ? `${name} has no role now` : `${name} has the role ${role} now`,
          ...driftLines(cli, readAnswer(machineSchema, answer, 'machine')),
        ]);
      }),
    [
      ['a role', 'machine assign node1 web'],
      ['no role', 'machine assign node1 --none'],
    ],
  );

  withExamples(
    machine
      .command('hand-over')
      .description('give the role that a machine holds to a spare, or back to the machine whose role it is')
      .argument('<machine>', 'who has it now')
      .option('--to <machine>', 'who shall have it; absent: back to its owner, or to the first fit spare')
      .action(async (name: string, options: { to?: string }) => {
        const api = await cli.connect();
        const answer = await api.request('POST', `${at(name)}/hand-over`, { json: options });
        cli.print(answer, () => [
          `${name} stops its systems; then the other machine starts them. Who has the role: anybios machine explain ${name}`,
        ]);
      }),
    [
      ['a spare gives back what it took over', 'machine hand-over node9'],
      ['before a repair', 'machine hand-over node1 --to node9'],
    ],
  );

  withExamples(
    machine
      .command('confirm-off')
      .description('say that a machine is switched off: a spare need not wait for the end of its lease')
      .argument('<machine>', 'a machine that is silent, and that you know to be without power')
      .action(async (name: string) => {
        const api = await cli.connect();
        const answer = await api.request('POST', `${at(name)}/confirm-off`);
        cli.print(answer, () => [`${name} is off`]);
      }),
    [['after pulling its plug', 'machine confirm-off node1']],
  );

  withExamples(
    machine
      .command('remove')
      .description('forget a machine; it is unknown again when it next netboots')
      .argument('<machine>', 'name, or MAC of a discovered machine')
      .action(async (name: string) => {
        const api = await cli.connect();
        await api.request('DELETE', at(name));
        cli.print({ removed: name }, () => [`${name} is removed`]);
      }),
    [['one machine', 'machine remove node1']],
  );

  withExamples(
    machine
      .command('console')
      .description('a shell on a machine, or the console of a system on it; Ctrl-] leaves it')
      .argument('<machine>', 'name of the machine')
      .argument('[system]', 'absent: the live OS')
      .action(async (name: string, system: string | undefined) => openConsole(cli, name, system)),
    [
      ['the live OS', 'machine console node1'],
      ['a system', 'machine console node1 web'],
    ],
  );

  withExamples(
    machine
      .command('explain')
      .description('what a machine would be given now, and why each value')
      .argument('<machine>', 'name, or MAC of a discovered machine')
      .action(async (name: string) => {
        const api = await cli.connect();
        const answer = await api.get(`${at(name)}/explain`);
        cli.print(answer, () => explainLines(cli, answer));
      }),
    [['why does node1 boot what it boots', 'machine explain node1']],
  );
}

function machineColumns(cli: Cli, now: number): readonly Column<MachineAnswer>[] {
  return [
    { title: 'MACHINE', value: (row) => row.name },
    {
      title: 'STATUS',
      value: (row) => row.status,
      paint: (cell, row) => paintState(cli.style, row.status, cell),
    },
    { title: 'ROLE', value: (row) => roleWord(row) },
    { title: 'ADDRESS', value: (row) => row.currentAddress ?? row.address ?? '' },
    { title: 'MAC', value: (row) => row.macs[0] ?? '' },
    { title: 'BOOT', value: (row) => bootWord(row) },
    { title: 'SYSTEMS', value: (row) => row.systems.map((s) => `${s.name} ${s.state}`).join(', '), elastic: true },
    { title: 'SEEN', value: (row) => (row.lastSeenAt === undefined ? 'never' : formatAge(row.lastSeenAt, now)) },
  ];
}

function roleWord({ role, standsFor, standby }: MachineAnswer): string {
  if (role !== undefined) return standsFor === undefined ? role : `${role} of ${standsFor}`;
  return standby === undefined ? '' : `(${standby})`;
}

function placeFields(place: NonNullable<MachineAnswer['place']>): readonly [string, string | undefined][] {
  const { role, holder, since, why, handing, leaseSeconds, spares } = place;
  return [
    ['role', `${role}, held by ${holder}`],
    ['since', since === undefined ? undefined : new Date(since).toISOString()],
    ['why', why],
    ['on its way', handing === undefined ? undefined : `to ${handing.to}, asked by ${handing.by}`],
    ['lease', `${leaseSeconds} s from each heartbeat`],
    ['spares', spares.map(({ name, unfit }) => (unfit === undefined ? name : `${name} (${unfit})`)).join(', ')],
  ];
}

function bootWord({ boot }: MachineAnswer): string {
  if (boot === undefined) return '';
  if (boot.outcome === 'running') return boot.stage;
  return boot.outcome === 'succeeded' ? 'succeeded' : `${boot.outcome} at ${boot.stage}`;
}

function showLines(cli: Cli, answer: unknown): readonly string[] {
  const machine = readAnswer(machineSchema, answer, 'machine');
  // Desired and observed values by the API's own names, so that what is read here can be written in a site file.
  const {
    boot: _boot,
    systems: _systems,
    desired: _desired,
    drift: _drift,
    changing: _changing,
    place: _place,
    ...rest
  } = answer as Record<string, unknown>;
  const lines = [...fieldLines(describeFields(rest))];
  const { boot, systems, place } = machine;
  if (place !== undefined) lines.push('', ...fieldLines(placeFields(place)));
  if (boot !== undefined) {
    const took = (boot.closedAt ?? (boot.outcome === 'running' ? Date.now() : boot.lastStepAt)) - boot.openedAt;
    lines.push(
      '',
      cli.style.strong('newest boot'),
      ...fieldLines([
        ['session', boot.session],
        ['firmware', boot.firmware],
        ['stage', boot.stage],
        ['outcome', boot.outcome],
        ['took', formatDuration(took)],
        ['loading', boot.progress === undefined ? undefined : progressText(boot.progress)],
        ['diagnosis', boot.diagnosis && `${boot.diagnosis.name}: ${boot.diagnosis.message}`],
        ['remedy', boot.diagnosis?.remedy],
      ]),
    );
  }
  if (systems.length > 0) {
    const desired = new Set(machine.desired?.systems);
    lines.push(
      '',
      ...tableLines(
        [
          { title: 'SYSTEM', value: (row) => row.name },
          { title: 'DESIRED', value: (row) => (desired.has(row.name) ? 'running' : 'none') },
          { title: 'STATE', value: (row) => row.state, paint: (cell, row) => paintState(cli.style, row.state, cell) },
          { title: 'RESTARTS', value: (row) => String(row.restarts), right: true },
          { title: 'MESSAGE', value: (row) => row.message ?? '', elastic: true },
        ],
        systems,
        cli.width,
      ),
    );
  }
  const differences = driftLines(cli, machine);
  return differences.length === 0 ? lines : [...lines, '', ...differences];
}
