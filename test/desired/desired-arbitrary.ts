import fc from 'fast-check';
import type { DesiredState } from '../../server/domain/desired.js';
import type { DhcpOptionWords, OptionWord } from '../../server/domain/dhcp-options.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { macFromBytes } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import { LOADERS, type Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';
import { LINE, NAME, optional, table } from './primitive-arbitraries.js';
import { systemArbitrary } from './system-arbitrary.js';

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
      profile: 'live',
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
      optional('disks', fc.constantFrom({ data: '/dev/vda' }, { 'a.b': '/dev/disk/by-id/x:1', on: '/dev/sdb1' })),
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

/** What several systems or machines of one role would get in each other's way with is taken out. */
function compatible(state: DesiredState): DesiredState {
  return { ...state, systems: state.systems.map((one) => compatibleSystem(one, state)) };
}

function compatibleSystem(one: System, { roles, machines }: DesiredState): System {
  const holders = roles.filter(({ systems }) => systems.includes(one.name));
  const { after, network, ...rest } = one;
  const kept = after?.filter((other) => holders.every(({ systems }) => systems.includes(other)));
  const shared = holders.some((role) => machines.filter((machine) => machine.role === role.name).length > 1);
  const bridge = network !== undefined && network !== 'host' && 'bridge' in network && shared;
  return {
    ...rest,
    ...(kept === undefined || kept.length === 0 ? {} : { after: kept }),
    ...(network === undefined ? {} : { network: bridge ? { bridge: network.bridge } : network }),
  };
}

/** Any desired state that is right: unique names, MACs and addresses, references that lead somewhere. */
export const desiredState: fc.Arbitrary<DesiredState> = fc
  .tuple(names, names, names)
  .chain(([systems, roles, machines]) =>
    fc.record({
      systems: fc.tuple(...systems.map((name, index) => systemArbitrary(name, index, systems.slice(0, index)))),
      roles: fc.tuple(...roles.map((name) => role(name, systems))),
      machines: fc.tuple(...machines.map((name, index) => machine(name, index, roles))),
    }),
  )
  .map(compatible);
