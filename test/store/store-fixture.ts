import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { BootSession, Claim } from '../../server/domain/boot-session.js';
import type { Change } from '../../server/domain/desired.js';
import { parseDigest } from '../../server/domain/digest.js';
import type { NewEvent } from '../../server/domain/event.js';
import type { Image } from '../../server/domain/image.js';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Machine, Observed } from '../../server/domain/machine.js';
import type { Store } from '../../server/domain/ports.js';
import type { Role } from '../../server/domain/role.js';
import type { System } from '../../server/domain/system.js';
import { openStore, type StoreOptions } from '../../server/store/open-store.js';
import { tempFolder } from '../support/temp-folder.js';

/** A store on a fresh file (or the given one), closed after the test. */
export async function freshStore(options: Partial<StoreOptions> = {}): Promise<{ store: Store; path: string }> {
  const path = options.path ?? join(tempFolder(), 'data', 'anybios.db');
  const store = await openStore({ ...options, path });
  onTestFinished(() => store.close());
  return { store, path };
}

export const MAC = parseMac('52:54:00:00:00:01');
export const lease = (address: string, over: Partial<Lease> = {}): Lease => ({
  address: parseIpv4(address),
  mac: MAC,
  state: 'active',
  startedAt: 1_700_000_000,
  expiresAt: 1_700_003_600,
  ...over,
});
export const event = (over: Partial<NewEvent> = {}): NewEvent => ({
  at: 1_700_000_000_123,
  source: 'dhcp',
  kind: 'dhcp.offer',
  level: 'info',
  message: 'offered 10.77.0.5',
  data: { address: '10.77.0.5', nested: [1, null, { a: true }] },
  ...over,
});
export const session = (id: string, over: Partial<BootSession> = {}): BootSession => ({
  id,
  key: 'node1',
  mac: MAC,
  firmware: 'bios',
  openedAt: 1000,
  lastStepAt: 1000,
  stage: 'dhcp',
  stages: { dhcp: 1000 },
  outcome: 'running',
  loaderFetches: 0,
  ...over,
});
export const claim = (over: Partial<Claim> = {}): Claim => ({
  session: 's1',
  mac: MAC,
  nonceHash: 'ab',
  nonceExpiresAt: Date.now() + 60_000,
  revoked: false,
  ...over,
});
export const observed = (key: string, over: Partial<Observed> = {}): Observed => ({
  key,
  mac: MAC,
  waiting: false,
  firstSeenAt: 1,
  lastSeenAt: 2,
  systems: [],
  unmanaged: false,
  ...over,
});
export const image = (version: string, tags: readonly string[] = [], digit = 'a'): Image => ({
  name: 'base',
  version,
  kind: 'rootfs',
  files: [{ part: 'rootfs', digest: parseDigest(digit.repeat(64)), size: 3_000_000_000 }],
  tags,
  createdAt: 7,
});
export const system = (name: string, over: Partial<System> = {}): System => ({
  name,
  kind: 'chroot',
  image: 'base',
  command: ['/bin/sh'],
  env: {},
  files: {},
  storage: 'ram',
  restart: 'always',
  ...over,
});
export const role = (name: string, systems: readonly string[] = []): Role => ({
  name,
  profile: 'micro',
  mode: 'resident',
  systems,
  params: {},
});
export const machine = (name: string, macs: readonly string[], over: Partial<Machine> = {}): Machine => ({
  name,
  macs: macs.map((mac) => parseMac(mac)),
  labels: {},
  ...over,
});
export const add = (value: Machine | Role | System): Change => change('add', value);
export function change(action: 'add' | 'change', value: Machine | Role | System): Change {
  const common = { action, name: value.name, fields: ['x'] };
  if ('macs' in value) return { kind: 'machine', ...common, value };
  if ('profile' in value) return { kind: 'role', ...common, value };
  return { kind: 'system', ...common, value };
}
export const remove = (kind: Change['kind'], name: string): Change => ({ kind, action: 'remove', name, fields: [] });
