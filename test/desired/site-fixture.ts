import { expect } from 'vitest';
import type { SiteContext } from '../../server/desired/site-file.js';
import type { DesiredState } from '../../server/domain/desired.js';
import { AnybiosError } from '../../server/domain/errors.js';
import type { Image } from '../../server/domain/image.js';
import type { Profile } from '../../server/domain/profile.js';

export const EMPTY: DesiredState = { machines: [], roles: [], systems: [] };

const profile = (name: string, over: Partial<Profile>): Profile => ({
  name,
  description: '',
  kind: 'boot',
  kernel: 'kernel',
  rootfs: 'micro',
  args: [],
  templates: { ipxe: 'a.hbs', grub: 'b.hbs' },
  supports: {
    modes: ['resident', 'single'],
    kinds: ['chroot'],
    storage: ['ram'],
    limits: ['memory', 'cpus'],
    networks: ['host'],
    features: [],
  },
  failure: { policy: 'reboot', delaySeconds: 30 },
  params: {},
  ...over,
});
const NOTHING = { modes: [], kinds: [], storage: [], limits: [], networks: [], features: [] };

export const PROFILES: ReadonlyMap<string, Profile> = new Map(
  [
    profile('micro', { params: { console: 'ttyS0' } }),
    profile('plain', {
      supports: { modes: ['resident'], kinds: ['chroot'], storage: [], limits: [], networks: ['host'], features: [] },
    }),
    profile('live', {
      params: { console: 'ttyS0' },
      supports: {
        modes: ['resident', 'single'],
        kinds: ['chroot', 'container', 'vm'],
        storage: ['ram', 'ram-size', 'label'],
        limits: ['memory', 'cpus'],
        networks: ['host', 'bridge', 'nat'],
        features: ['layer', 'disk', 'after', 'health'],
      },
    }),
    profile('localdisk', { kind: 'local', supports: NOTHING }),
  ].map((value) => [value.name, value]),
);

const image = (name: string, kind: Image['kind']): Image => ({
  name,
  version: '1',
  kind,
  files: [],
  tags: ['stable'],
  createdAt: 0,
});
const IMAGES = new Map([
  ['base', image('base', 'rootfs')],
  ['base:1', image('base', 'rootfs')],
  ['kernel', image('kernel', 'kernel')],
  ['disk', image('disk', 'disk')],
]);

export function context(over: Partial<SiteContext> = {}): SiteContext {
  return { profiles: PROFILES, current: EMPTY, image: (reference) => IMAGES.get(reference), ...over };
}

/** The lines of the refusal that `run` ends with; none when it does not. */
export function refusalOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(AnybiosError);
    return error instanceof AnybiosError ? error.message.split('\n') : [];
  }
  return [];
}

/** A site file with one of each. */
export const SITE = `systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd, -f, -p, "80"], env: {SITE: main}, files: {/etc/motd: "{{machine.name}}"},
      memory: 128M, cpus: 1, storage: ram, restart: always }
roles:
  - { name: web, profile: micro, mode: resident, systems: [web], params: {} }
machines:
  - { name: node1, macs: ["52:54:00:00:00:01"], address: 10.77.0.11, role: web, labels: {rack: r1} }
`;
