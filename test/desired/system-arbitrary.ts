import fc from 'fast-check';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import {
  BOOT_CARD,
  type HealthCheck,
  type System,
  type SystemNetwork,
  type SystemStorage,
} from '../../server/domain/system.js';
import { LINE, optional, TEXT, table } from './primitive-arbitraries.js';

const bytes = fc.integer({ min: 2 ** 20, max: 2 ** 40 });
const word = fc.stringMatching(/^[a-z][a-z0-9._-]{0,5}$/);
const port = fc.integer({ min: 1, max: 65_535 });

/** Paths and forwarded ports hold `index`: no two systems have the same. */
const storage = (index: number, sized: boolean): fc.Arbitrary<SystemStorage> =>
  fc.oneof(
    fc.constant('ram' as const),
    fc.record({ ramBytes: bytes }),
    fc
      .tuple(word, word, sized ? bytes.map((sizeBytes) => ({ sizeBytes })) : optional('sizeBytes', bytes))
      .map(([label, path, size]) => ({ label, path: `${path}/${index}`, ...size })),
  );

const bridge = (index: number): fc.Arbitrary<SystemNetwork> =>
  fc
    .tuple(
      optional('mac', fc.constant(parseMac(`52:54:01:00:00:0${index}`))),
      optional('address', fc.constant((0x0a4d0100 + index) as Ipv4)),
    )
    .map(([mac, address]) => ({ bridge: BOOT_CARD, ...mac, ...address }));

const nat = (index: number): fc.Arbitrary<SystemNetwork> =>
  fc
    .uniqueArray(fc.record({ protocol: fc.constantFrom('tcp' as const, 'udp' as const), to: port }), { maxLength: 3 })
    .map((ports) => ({
      nat: BOOT_CARD,
      ports: ports.map((given, number) => ({ ...given, from: 1000 + 10 * index + number })),
    }));

const health = (kinds: readonly ('command' | 'http' | 'tcp')[]): fc.Arbitrary<HealthCheck> => {
  const ways = {
    command: fc.array(LINE, { minLength: 1, maxLength: 3 }).map((command) => ({ command })),
    http: fc.record({ port, path: fc.constantFrom('/', '/a?b=c#d') }).map((http) => ({ http })),
    tcp: port.map((tcp) => ({ tcp })),
  };
  return fc.record({
    check: fc.oneof(...kinds.map((kind): fc.Arbitrary<HealthCheck['check']> => ways[kind])),
    intervalSeconds: fc.integer({ min: 1, max: 3600 }),
    timeoutSeconds: fc.integer({ min: 1, max: 3600 }),
    retries: fc.integer({ min: 1, max: 100 }),
  });
};

const common = (name: string, earlier: readonly string[]) =>
  fc
    .tuple(
      fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
      optional('cpus', fc.constantFrom(0.5, 1, 2)),
      optional('after', fc.subarray([...earlier])),
    )
    .map(([restart, ...parts]) => ({ name, restart, ...Object.assign({}, ...parts) }));

const program = fc
  .tuple(
    fc.record({
      image: fc.constantFrom('base', 'base:1'),
      command: fc.array(LINE, { minLength: 1, maxLength: 4 }),
      env: table(fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,5}$/), LINE),
      files: table(fc.stringMatching(/^\/[a-z]{1,5}[0-9]$/), TEXT),
    }),
    optional('layer', fc.constant('base')),
  )
  .map(([rest, layer]) => ({ ...rest, ...layer }));

const nothingInside = { command: [], env: {}, files: {} };

/** Any system that is right beside the `earlier` ones; `index` keeps what they take apart. */
export function systemArbitrary(name: string, index: number, earlier: readonly string[]): fc.Arbitrary<System> {
  const join = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<System> =>
    fc.tuple(common(name, earlier), ...parts).map((all) => Object.assign({}, ...all));
  const of = (kind: System['kind']) => fc.constant({ kind });
  const inside = fc.record({ storage: storage(index, false) });
  const disk = fc.record({ storage: storage(index, true), memoryBytes: bytes });
  const anyHealth = optional('health', health(['command', 'http', 'tcp']));
  return fc.oneof(
    join(of('chroot'), program, inside, optional('memoryBytes', bytes), anyHealth),
    join(
      of('container'),
      program,
      inside,
      optional('memoryBytes', bytes),
      anyHealth,
      optional('network', fc.oneof(fc.constant('host' as const), bridge(index), nat(index))),
    ),
    join(
      of('vm'),
      program,
      disk,
      optional('kernel', fc.constant('kernel')),
      optional('network', nat(index)),
      optional('health', health(['http', 'tcp'])),
    ),
    join(of('vm'), disk, fc.constant({ disk: 'disk', ...nothingInside }), fc.record({ network: bridge(index) })),
    join(
      of('vm'),
      fc.record({ memoryBytes: bytes, network: bridge(index) }),
      fc.constant({ storage: 'ram', ...nothingInside }),
    ),
  );
}
