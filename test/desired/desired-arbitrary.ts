import fc from 'fast-check';
import type { DesiredState } from '../../server/domain/desired.js';
import type { DhcpOptionWords, OptionWord } from '../../server/domain/dhcp-options.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { macFromBytes } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { LOADERS, type Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';

const NAME = fc.oneof(
  fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,10}$/),
  // Words that YAML readers like to take for something else.
  fc.constantFrom('null', 'true', 'on', 'no', '1e3', '0x1f', '012', '1', 'y'),
);
/** One line of text: anything but control characters. */
const LINE = fc
  .string({ unit: 'grapheme', maxLength: 20 })
  .map((text) => [...text].filter((char) => char >= ' ' && char !== '\x7f').join(''))
  .chain((text) => fc.constantFrom(text, `${text}: #x`, ` ${text} `, `"${text}'`, `52:54:00`, `- ${text}`));
const TEXT = fc
  .string({ unit: 'grapheme', maxLength: 40 })
  .chain((text) => fc.constantFrom(text, `${text}\n\n{{a}}\t\n`, `\n ${text}`));
const optional = <K extends string, T>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ [P in K]?: T }> =>
  fc.option(value, { nil: undefined }).map((given) => {
    const part: { [P in K]?: T } = {};
    if (given !== undefined) part[key] = given;
    return part;
  });
const table = (keys: fc.Arbitrary<string>, values: fc.Arbitrary<string>) =>
  fc.dictionary(keys, values, { maxKeys: 3, noNullPrototype: true });

const system = (name: string): fc.Arbitrary<System> =>
  fc
    .tuple(
      fc.record({
        command: fc.array(LINE, { minLength: 1, maxLength: 4 }),
        env: table(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/), LINE),
        files: table(fc.stringMatching(/^\/[a-z]{1,5}[0-9]$/), TEXT),
        restart: fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
      }),
      optional('memoryBytes', fc.integer({ min: 2 ** 20, max: 2 ** 40 })),
      optional('cpus', fc.constantFrom(0.5, 1, 2)),
    )
    .map(([rest, memory, cpus]) => ({
      name,
      kind: 'chroot',
      image: 'base',
      storage: 'ram',
      ...rest,
      ...memory,
      ...cpus,
    }));

const OPAQUE = fc
  .stringMatching(/^[a-z :#]{1,8}$/)
  .chain((text) => fc.constantFrom(text, `${text}1e3`, `0x${text}`, 'hex:0a0b'))
  // Text of this form is refused: it could be meant as bytes.
  .filter((text) => !/^[0-9a-f]{2}(:[0-9a-f]{2})+$/.test(text));

/** Options in every written form; numbers as keys stand first in a JavaScript object, in order. */
const options: fc.Arbitrary<DhcpOptionWords> = fc
  .tuple(
    optional('43', fc.constantFrom<OptionWord>('hex:0a0b', { '1': 'a: b', '2': true })),
    optional('121', fc.constant<OptionWord>(['10.20.0.0/16 via 10.77.0.254'])),
    optional('224', fc.constantFrom<OptionWord>('on', '1e3', true, 'u32:7', ' #x')),
    optional('mtu', fc.integer({ min: 0, max: 65_535 })),
    optional('ntp', fc.constantFrom<OptionWord>('10.77.0.1', ['10.77.0.1', '10.77.0.2'])),
  )
  .map((parts) => Object.assign({}, ...parts))
  .filter((words) => Object.keys(words).length > 0);

const bootFiles = fc.constantFrom(
  { 'x64-uefi': 'my.efi' },
  { '11': 'grubaa64.efi', default: 'http://boot.example.org/x' },
);

const role = (name: string, systems: readonly string[]): fc.Arbitrary<Role> =>
  fc
    .tuple(
      fc.shuffledSubarray([...systems]),
      table(fc.constant('console'), LINE),
      optional('loader', fc.constantFrom(...LOADERS)),
      optional('options', options),
    )
    .map(([used, params, loader, given]) => ({
      name,
      profile: 'micro',
      mode: 'resident',
      systems: used,
      params,
      ...loader,
      ...given,
    }));

const machine = (name: string, index: number, roles: readonly string[]): fc.Arbitrary<Machine> =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 3 }),
      table(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,5}$/), LINE),
      optional(
        'uuid',
        fc.uuid().map((uuid) => `${uuid.slice(0, -2)}${index.toString(16).padStart(2, '0')}`),
      ),
      optional('serial', LINE),
      optional('address', fc.constant((0x0a4d0001 + index) as Ipv4)),
      roles.length === 0 ? fc.constant({}) : optional('role', fc.constantFrom(...roles)),
      optional('loader', fc.constantFrom(...LOADERS)),
      optional('options', options),
      optional('bootFiles', bootFiles),
      optional(
        'clientId',
        // A word, not a digit: "aa:a" and a digit would read as bytes.
        OPAQUE.map((id) => (id.startsWith('hex:') ? `${id}${index.toString(16).padStart(2, '0')}` : `${id} #${index}`)),
      ),
      optional(
        'relay',
        fc
          .tuple(optional('circuitId', OPAQUE), fc.constant({ remoteId: `switch ${index}` }))
          .map((parts) => Object.assign({}, ...parts)),
      ),
    )
    .map(([nics, labels, ...parts]) => ({
      name,
      macs: Array.from({ length: nics }, (_, nic) => macFromBytes(Uint8Array.of(0x52, 0x54, 0, 0, index, nic))).flatMap(
        (mac) => mac ?? [],
      ),
      labels,
      ...Object.assign({}, ...parts),
    }));

const names = fc.uniqueArray(NAME, { maxLength: 3 });

/** Any desired state that is right: unique names, MACs and addresses, references that lead somewhere. */
export const desiredState: fc.Arbitrary<DesiredState> = fc
  .tuple(names, names, names)
  .chain(([systems, roles, machines]) =>
    fc.record({
      systems: fc.tuple(...systems.map(system)),
      roles: fc.tuple(...roles.map((name) => role(name, systems))),
      machines: fc.tuple(...machines.map((name, index) => machine(name, index, roles))),
    }),
  );
