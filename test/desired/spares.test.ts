import { expect, test } from 'vitest';
import { exportSite } from '../../server/desired/export-site.js';
import { parseSite, type SiteContext } from '../../server/desired/site-file.js';
import { profilesDir } from '../../server/paths.js';
import { loadProfiles } from '../../server/render/profiles.js';

const context: SiteContext = {
  profiles: new Map(Array.from(loadProfiles(profilesDir), ([name, { profile }]) => [name, profile])),
  current: { machines: [], roles: [], systems: [] },
  image: () => ({ name: 'base', version: '1', kind: 'rootfs', files: [], tags: [], createdAt: 0 }),
};

const site = (role: string, more = '', system = '', disks = ''): string => `
systems:
  - { name: web, kind: chroot, image: base, command: [/bin/httpd]${system} }
roles:
  - { name: web, profile: micro, systems: [web], ${role} }
machines:
  - { name: node1, macs: ["52:54:00:00:00:01"], role: web }
  - { name: node9, macs: ["52:54:00:00:00:09"], labels: { pool: spare }${more}${disks} }
`;

test.each([
  ['spares: [node9]', { machines: ['node9'], labels: {}, leaseSeconds: 120 }],
  ['spares: [node9], spareLease: 2m', { machines: ['node9'], labels: {}, leaseSeconds: 120 }],
  [
    'spares: { labels: { pool: spare } }, spareLease: 20s',
    { machines: [], labels: { pool: 'spare' }, leaseSeconds: 20 },
  ],
  ['spares: []', undefined],
])('%s is read, and written back as it means', (role, spares) => {
  const parsed = parseSite(site(role), context);
  expect(parsed.roles?.[0]?.spares).toEqual(spares);
  const { machines = [], roles = [], systems = [] } = parsed;
  expect(parseSite(exportSite({ machines, roles, systems }), context)).toEqual(parsed);
});

const REFUSED: Readonly<Record<string, readonly [text: string, message: RegExp]>> = {
  'a lease that one late heartbeat would end': [
    site('spares: [node9], spareLease: 19s'),
    /19s is too short[\s\S]*20s to 60m/,
  ],
  'a lease without spares': [site('spareLease: 60s'), /there are no spares/],
  'a machine that is not there': [site('spares: [node7]'), /there is no machine "node7"/],
  'a machine with a role': [site('spares: [node9]', ', role: web'), /node9 is a spare of role web and has role web/],
  'a role that gives the machine away': [site('spares: [node9], mode: single'), /nobody is left/],
  'a boot menu, at which it could be given away': [site('spares: [node9], params: { menu: "5" }'), /boot menu/],
  'a profile that keeps no lease': [
    site('spares: [node9]').replace('profile: micro, systems: [web]', 'profile: localdisk'),
    /keeps no lease/,
  ],
  'a spare without the disk that a system writes to': [
    site('spares: [node9]', '', ', storage: { label: data, path: web }').replace('profile: micro', 'profile: live'),
    /spare node9 of role web declares no disk with label data/,
  ],
};
test.each(Object.entries(REFUSED))('%s is refused', (_name, [text, message]) => {
  expect(() => parseSite(text, context)).toThrow(message);
});
