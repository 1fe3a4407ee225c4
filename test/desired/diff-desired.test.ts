import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { changesText } from '../../server/desired/changes-text.js';
import { applyTo, diffDesired, removalOf } from '../../server/desired/diff-desired.js';
import { exportSite } from '../../server/desired/export-site.js';
import { machineToJson, roleToJson, systemToJson } from '../../server/desired/resource-json.js';
import { checkSite, parseSite } from '../../server/desired/site-file.js';
import { formatMemory, parseMemory } from '../../server/desired/text-forms.js';
import type { DesiredState } from '../../server/domain/desired.js';
import { desiredState } from './desired-arbitrary.js';
import { context, EMPTY, refusalOf, SITE } from './site-fixture.js';

const current: DesiredState = { ...EMPTY, ...parseSite(SITE, context()) };

describe('the difference between a file and the state', () => {
  it('is everything at first, in an order in which each step is right', () => {
    expect(
      diffDesired(EMPTY, parseSite(SITE, context())).map(({ kind, action, name }) => `${action} ${kind} ${name}`),
    ).toEqual(['add system web', 'add role web', 'add machine node1']);
  });

  it('is nothing when the file says what is there, whatever the order of its keys', () => {
    expect(diffDesired(current, parseSite(SITE, context()))).toEqual([]);
    const other = SITE.replace('{SITE: main}', '{A: "1", B: "2"}');
    const turned = SITE.replace('{SITE: main}', '{B: "2", A: "1"}');
    expect(diffDesired({ ...EMPTY, ...parseSite(other, context()) }, parseSite(turned, context()))).toEqual([]);
  });

  it('names the fields as the file does', () => {
    const text = SITE.replace('128M', '64M').replace('role: web, labels: {rack: r1}', 'labels: {rack: r2}');
    const changes = diffDesired(current, parseSite(text, context({ current })));
    expect(changes.map(({ name, fields }) => [name, fields])).toEqual([
      ['web', ['memory']],
      ['node1', ['role', 'labels']],
    ]);
  });

  it('removes nothing without prune, and with prune only kinds that the file lists', () => {
    expect(diffDesired(current, { machines: [] })).toEqual([]);
    expect(diffDesired(current, { machines: [] }, { prune: true })).toEqual([
      { kind: 'machine', action: 'remove', name: 'node1', fields: [] },
    ]);
  });

  it('removes referrers first', () => {
    const changes = diffDesired(current, { machines: [], roles: [], systems: [] }, { prune: true });
    expect(changes.map(({ kind }) => kind)).toEqual(['machine', 'role', 'system']);
    expect(applyTo(current, changes)).toEqual(EMPTY);
  });

  it('refuses to remove what is still referred to, and names all that does', () => {
    expect(refusalOf(() => diffDesired(current, { roles: [], systems: [] }, { prune: true }))).toEqual([
      'role "web" cannot be removed: machine node1 has it',
    ]);
    expect(refusalOf(() => diffDesired(current, { systems: [] }, { prune: true }))).toEqual([
      'system "web" cannot be removed: role web starts it',
    ]);
    expect(refusalOf(() => removalOf(current, 'role', 'web'))).toEqual([
      'role "web" cannot be removed: machine node1 has it',
    ]);
    expect(refusalOf(() => removalOf(current, 'role', 'db'))).toEqual(['there is no role "db"']);
    expect(removalOf(current, 'machine', 'node1').action).toBe('remove');
  });

  it('reads well', () => {
    const text = SITE.replace('10.77.0.11', '10.77.0.12').replace('name: node1', 'name: node2');
    const changes = diffDesired(current, parseSite(text, context({ current, prune: true })), { prune: true });
    expect(changesText(changes)).toBe('- machine node1\n+ machine node2\n1 to add, 0 to change, 1 to remove');
    expect(changesText([])).toBe('no changes');
    const changed = diffDesired(current, parseSite(SITE.replace('10.77.0.11', '10.77.0.12'), context({ current })));
    expect(changesText(changed)).toBe('~ machine node1: address\n0 to add, 1 to change, 0 to remove');
  });
});

describe('export', () => {
  it('is a file for people', () => {
    expect(exportSite(current)).toBe(`systems:
  - name: web
    kind: chroot
    image: base
    command: [ /bin/httpd, -f, -p, "80" ]
    env:
      SITE: main
    files:
      /etc/motd: "{{machine.name}}"
    memory: 128M
    cpus: 1
    storage: ram
    restart: always
roles:
  - name: web
    profile: micro
    mode: resident
    systems: [ web ]
machines:
  - name: node1
    macs: [ "52:54:00:00:00:01" ]
    address: 10.77.0.11
    role: web
    labels:
      rack: r1
`);
  });

  it('applied again changes nothing (property)', () => {
    fc.assert(
      fc.property(desiredState, (state) => {
        const read = parseSite(exportSite(state), context({ prune: true }));
        expect(diffDesired(state, read, { prune: true })).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it('the JSON of each resource reads back as the same value (property)', () => {
    fc.assert(
      fc.property(desiredState, (state) => {
        const json: unknown = JSON.parse(
          JSON.stringify({
            machines: state.machines.map(machineToJson),
            roles: state.roles.map(roleToJson),
            systems: state.systems.map(systemToJson),
          }),
        );
        expect(checkSite(json, context())).toEqual(state);
      }),
      { numRuns: 40 },
    );
  });

  it('a difference applied gives what the file wants (property)', () => {
    fc.assert(
      fc.property(desiredState, desiredState, (before, after) => {
        const changes = diffDesired(before, after, { prune: true });
        expect(exportSite(applyTo(before, changes))).toBe(exportSite(after));
        expect(diffDesired(applyTo(before, changes), after, { prune: true })).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describe('sizes of memory', () => {
  it.each([
    ['128M', 134_217_728],
    ['1G', 1_073_741_824],
    ['1025K', 1_049_600],
    ['1048577', 1_048_577],
  ])('%s', (text, bytes) => {
    expect(parseMemory(text)).toBe(bytes);
    expect(formatMemory(bytes)).toBe(text);
  });
  it.each(['', '0', '1K', '-1M', '1.5G', '1T', '999999999999G', '1 M'])('not %j', (text) => {
    expect(() => parseMemory(text)).toThrow(/is not a size of memory/);
  });
});
