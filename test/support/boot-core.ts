import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DhcpFacts, DhcpStep } from '../../server/boot/contract.js';
import { type BootCore, createBootCore } from '../../server/boot/create-boot-core.js';
import type { Lines } from '../../server/boot/machine-lines.js';
import type { Digest } from '../../server/domain/digest.js';
import type { DownloadLimits } from '../../server/domain/download-limits.js';
import type { BootEvent } from '../../server/domain/event.js';
import type { Image, ImagePart } from '../../server/domain/image.js';
import { type Ipv4, parseCidr, parseIpv4 } from '../../server/domain/ipv4.js';
import { type Mac, parseMac } from '../../server/domain/mac.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Store } from '../../server/domain/ports.js';
import type { Role } from '../../server/domain/role.js';
import type { UnknownPolicy } from '../../server/domain/site.js';
import type { System } from '../../server/domain/system.js';
import { profilesDir } from '../../server/paths.js';
import { loadProfiles } from '../../server/render/profiles.js';
import { compileTemplate } from '../../server/render/renderer.js';
import { State } from '../../server/state/state.js';
import { openStore } from '../../server/store/open-store.js';

export const mac = parseMac('52:54:00:00:00:01');
export const strangerMac = parseMac('52:54:00:00:00:99');
export const address = parseIpv4('10.77.0.101');
export const elsewhere = parseIpv4('10.77.0.200');

const system = (name: string): System => ({
  name,
  kind: 'chroot',
  image: 'base',
  command: ['/bin/httpd', '-f'],
  env: { SITE: 'main' },
  files: { '/etc/motd': 'this is {{machine.name}} with {{system.name}}\n' },
  memoryBytes: 134217728,
  storage: 'ram',
  restart: 'always',
});
export const machine: Machine = { name: 'node1', macs: [mac], role: 'web', labels: { rack: 'r1' } };
const roles: readonly Role[] = [
  { name: 'web', profile: 'micro', mode: 'resident', systems: ['web', 'db'], params: {} },
  { name: 'one', profile: 'micro', mode: 'single', systems: ['web'], params: {} },
  { name: 'disk', profile: 'localdisk', mode: 'resident', systems: [], params: {} },
];
const image = (name: string, parts: Partial<Record<ImagePart, string>>): Image => ({
  name,
  version: '1',
  kind: name === 'kernel' ? 'kernel' : 'rootfs',
  files: (Object.keys(parts) as ImagePart[]).map((part) => ({
    part,
    digest: (parts[part] ?? '').repeat(64) as Digest,
    size: 1000,
  })),
  tags: ['stable'],
  createdAt: 0,
});

export interface TestCore extends BootCore {
  readonly state: State;
  readonly store: Store;
  readonly events_: BootEvent[];
  readonly renewed: string[];
  now: number;
  /** The same data folder, as after a restart of the server. */
  restart(): Promise<TestCore>;
  close(): Promise<void>;
  /** DISCOVER, OFFER, REQUEST, ACK of one client at one address. */
  dora(client: DhcpFacts['client'], over?: Partial<DhcpFacts>): void;
  step(message: DhcpStep['message'], client: DhcpFacts['client'], over?: Partial<DhcpFacts>): void;
  kinds(): Promise<string[]>;
}

/** The boot core over a real store, with the shipped profiles, three made-up images, and the clock in the test's hand. */
export async function startCore(
  options: {
    readonly unknown?: UnknownPolicy;
    readonly dir?: string;
    readonly now?: number;
    readonly machines?: readonly Machine[];
    readonly neighbour?: (address: Ipv4) => Mac | undefined;
    readonly downloads?: DownloadLimits;
    readonly monotonic?: () => number;
  } = {},
): Promise<TestCore> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'anybios-core-'));
  const store = await openStore({ path: join(dir, 'anybios.db') });
  if (options.dir === undefined) {
    await store.applyDesired(
      [
        ...['web', 'db'].map(
          (name) => ({ kind: 'system', action: 'add', name, fields: [], value: system(name) }) as const,
        ),
        ...roles.map((value) => ({ kind: 'role', action: 'add', name: value.name, fields: [], value }) as const),
        ...(options.machines ?? [machine]).map(
          (value) => ({ kind: 'machine', action: 'add', name: value.name, fields: [], value }) as const,
        ),
      ],
      'test',
    );
    for (const one of [
      image('kernel', { vmlinuz: 'a', initrd: 'b', modules: 'c' }),
      image('micro', { rootfs: 'd' }),
      image('base', { rootfs: 'e' }),
    ])
      await store.saveImage(one);
  }
  const snapshot = await store.load();
  const profiles = loadProfiles(profilesDir);
  const state = new State(
    snapshot,
    [...profiles.values()].map((loaded) => loaded.profile),
  );
  const renewed: string[] = [];
  const seen: BootEvent[] = [];
  let ids = 0;
  const time = { now: options.now ?? 1_000_000 };
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (data: object, message: string) => console.error(message, data),
  };
  const core = createBootCore({
    store,
    snapshot,
    state,
    identity: { address: parseIpv4('10.77.0.1'), httpPort: 8080, tftpPort: 69, url: 'http://10.77.0.1:8080' },
    subnets: [
      {
        cidr: parseCidr('10.77.0.0/24'),
        mode: 'full',
        pools: [],
        router: parseIpv4('10.77.0.1'),
        dns: [],
        leaseSeconds: 3600,
      },
    ],
    unknown: options.unknown ?? { kind: 'localdisk' },
    ...(options.downloads === undefined ? {} : { downloads: options.downloads }),
    ...(options.monotonic === undefined ? {} : { monotonic: options.monotonic }),
    key: 'a key of the test',
    files: {
      loaders: new Map([
        ['snponly.efi', { path: '/srv/snponly.efi', size: 1 }],
        ['undionly.kpxe', { path: '/srv/undionly.kpxe', size: 1 }],
      ]),
      imageFile: (digest) =>
        state.imageByDigest(digest) === undefined
          ? { kind: 'none', reason: 'no image has this digest' }
          : { kind: 'file', path: `/srv/${digest}`, size: 1000 },
      siteFile: undefined,
    },
    renderProfile: (name, loader, data) => {
      const loaded = profiles.get(name);
      if (loaded === undefined) throw new Error(`no profile ${name}`);
      return loaded[loader](data);
    },
    renderText: (name, template, data) => compileTemplate(name, template)(data),
    leaseAddress: () => undefined,
    ...(options.neighbour === undefined ? {} : { neighbour: options.neighbour }),
    renewLease: async (whose) => void renewed.push(whose),
    controlKeys: () => ['ssh-ed25519 AAAAserver anybios'],
    log,
    clock: () => time.now,
    newId: () => `session-${options.now ?? 0}-${++ids}`,
  });
  core.events.subscribe((event) => seen.push(event));
  const facts = (client: DhcpFacts['client'], over: Partial<DhcpFacts>): DhcpFacts => ({
    mac,
    client,
    ...(client === 'pxe' ? { arch: 0 } : {}),
    ...over,
  });
  const test: TestCore = {
    ...core,
    state,
    store,
    events_: seen,
    renewed,
    get now() {
      return time.now;
    },
    set now(value) {
      time.now = value;
    },
    restart: async () => {
      await core.events.flush();
      await store.close();
      return await startCore({ ...options, dir, now: time.now + 1000 });
    },
    close: async () => {
      await core.events.flush();
      await store.close();
      rmSync(dir, { recursive: true });
    },
    step: (message, client, over = {}) =>
      core.boot.step({
        facts: facts(client, over),
        message,
        ...(message === 'offer' || message === 'ack' ? { address } : {}),
        text: message,
        data: {},
      }),
    dora: (client, over = {}) => {
      for (const message of ['discover', 'offer', 'request', 'ack'] as const) test.step(message, client, over);
    },
    kinds: async () => {
      await core.events.flush();
      return seen.map((event) => event.kind);
    },
  };
  return test;
}

export function lines(values: Readonly<Record<string, string | readonly string[]>>): Lines {
  return new Map(Object.entries(values).map(([key, value]) => [key, typeof value === 'string' ? [value] : value]));
}

export function answerValue(answer: readonly (readonly [string, string | number])[], key: string): string {
  return String(answer.find(([name]) => name === key)?.[1] ?? '');
}
