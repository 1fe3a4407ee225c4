import { describe, expect, test } from 'vitest';
import type { Assignment } from '../../server/decide/assignment.js';
import { type BootPlanInput, decideBootPlan } from '../../server/decide/boot-plan.js';
import { commandLineFault, NONCE_DIGITS, SESSION_DIGITS } from '../../server/decide/command-line.js';
import type { Digest } from '../../server/domain/digest.js';
import type { Image } from '../../server/domain/image.js';
import { type Ipv4, parseCidr, parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Profile } from '../../server/domain/profile.js';
import type { Role } from '../../server/domain/role.js';
import type { Subnet } from '../../server/domain/site.js';
import type { System } from '../../server/domain/system.js';

const digest = (letter: string): Digest => letter.repeat(64) as Digest;
const image = (name: string, parts: Record<string, string>): Image => ({
  name,
  version: '1',
  kind: name === 'kernel' ? 'kernel' : 'rootfs',
  files: Object.entries(parts).map(([part, letter]) => ({
    part: part as Image['files'][number]['part'],
    digest: digest(letter),
    size: 1000,
  })),
  tags: ['stable'],
  createdAt: 0,
});
const images: Record<string, Image> = {
  kernel: image('kernel', { vmlinuz: 'a', initrd: 'b', modules: 'c' }),
  micro: image('micro', { rootfs: 'd' }),
  base: image('base', { rootfs: 'e' }),
};
const profile: Profile = {
  name: 'micro',
  description: '',
  kind: 'boot',
  kernel: 'kernel',
  rootfs: 'micro',
  args: ['console=tty0', 'console={{params.console}}', 'anybios.break={{params.break}}'],
  templates: { ipxe: 'a.hbs', grub: 'b.hbs' },
  supports: {
    modes: ['resident', 'single'],
    kinds: ['chroot'],
    storage: ['ram'],
    limits: [],
    networks: ['host'],
    features: [],
  },
  failure: { policy: 'reboot', delaySeconds: 30 },
  params: { console: 'ttyS0,115200n8', break: '' },
};
const system = (name: string): System => ({
  name,
  kind: 'chroot',
  image: 'base',
  command: ['/bin/httpd'],
  env: {},
  files: {},
  storage: 'ram',
  restart: 'always',
});
const role: Role = { name: 'web', profile: 'micro', mode: 'resident', systems: ['web', 'db'], params: {} };
const subnet: Subnet = {
  cidr: parseCidr('10.77.0.0/24'),
  mode: 'full',
  pools: [],
  router: parseIpv4('10.77.0.1'),
  dns: [parseIpv4('10.77.0.1'), parseIpv4('10.77.0.2')],
  leaseSeconds: 3600,
};
const assigned = (over: Partial<Role> = {}, profileOver: Partial<Profile> = {}): Assignment => ({
  kind: 'role',
  role: { ...role, ...over },
  profile: { ...profile, ...profileOver },
  reason: 'machine node1 has role web',
});
const input = (over: Partial<BootPlanInput> = {}): BootPlanInput => ({
  assignment: assigned(),
  mac: parseMac('52:54:00:00:00:01'),
  name: 'node1',
  server: { address: parseIpv4('10.77.0.1'), httpPort: 8080, tftpPort: 69, url: 'http://10.77.0.1:8080' },
  subnet,
  address: parseIpv4('10.77.0.11'),
  reserved: false,
  session: 's1',
  nonce: 'n1',
  system: (name) => (name === 'web' || name === 'db' ? system(name) : undefined),
  image: (reference) => images[reference],
  isDamaged: () => false,
  ...over,
});
const args = (over: Partial<BootPlanInput> = {}): string => {
  const plan = decideBootPlan(input(over));
  return plan.kind === 'boot' ? plan.args : `${plan.kind}: ${plan.reason}`;
};

describe('the kernel command line', () => {
  test('resident in full mode, whole', () => {
    expect(args()).toBe(
      [
        'console=tty0 console=ttyS0,115200n8',
        'ip=10.77.0.11:10.77.0.1:10.77.0.1:255.255.255.0:node1::off:10.77.0.1:10.77.0.2',
        'BOOTIF=01-52-54-00-00-00-01 chroot=/systems/web,/systems/db anybios.mode=resident anybios.server=http://10.77.0.1:8080',
        `anybios.rootfs=http://10.77.0.1:8080/images/sha256/${digest('d')}/rootfs.squashfs anybios.sha256=${digest('d')}`,
        'anybios.session=s1 anybios.nonce=n1',
      ].join(' '),
    );
  });

  test.each([
    [
      'no address yet, and so no subnet',
      { address: undefined, subnet: undefined },
      'no address has been given to it yet',
    ],
    [
      'beside another DHCP server',
      { subnet: { ...subnet, mode: 'proxy' } },
      'the addresses here are not given by this server',
    ],
  ] as const)('says why it is ip=dhcp: %s', (_name, over, reason) => {
    expect(decideBootPlan(input(over)).why).toContainEqual({ key: 'ip', value: 'ip=dhcp', reason });
  });

  const rows: Record<string, [Partial<BootPlanInput>, RegExp]> = {
    'single mode without a reservation: the system renews its own lease': [
      { assignment: assigned({ mode: 'single', systems: ['web'] }) },
      / ip=dhcp /,
    ],
    'single mode with a reservation is static': [
      { assignment: assigned({ mode: 'single', systems: ['web'] }), reserved: true },
      / ip=10\.77\.0\.11:/,
    ],
    'single mode loads the template of its system': [
      { assignment: assigned({ mode: 'single', systems: ['web'] }) },
      new RegExp(`anybios.sha256=${digest('e')}`),
    ],
    'proxy mode: the addresses are not ours': [{ subnet: { ...subnet, mode: 'proxy' } }, / ip=dhcp /],
    'no address yet': [{ address: undefined }, / ip=dhcp /],
    'no router and no DNS: no empty tail': [
      { subnet: { cidr: subnet.cidr, mode: 'full', pools: [], dns: [], leaseSeconds: 60 } },
      / ip=10\.77\.0\.11:10\.77\.0\.1::255\.255\.255\.0:node1::off /,
    ],
    'anyone else gets no nonce': [{ nonce: undefined, session: undefined }, /^(?!.*nonce)(?!.*session).*$/],
    'chosen at the menu: one system gets the machine': [
      { assignment: assigned({ params: { menu: '5' } }), choice: { mode: 'single', system: 'web' } },
      / chroot=\/systems\/web anybios\.mode=single .* anybios\.choice=single:web /,
    ],
    'a choice without a menu changes nothing': [
      { choice: { mode: 'single', system: 'web' } },
      / chroot=\/systems\/web,\/systems\/db anybios\.mode=resident /,
    ],
    'a role parameter fills a profile argument': [
      { assignment: assigned({ params: { break: 'mount' } }) },
      / anybios\.break=mount /,
    ],
    'a role without systems has no chroot=': [{ assignment: assigned({ systems: [] }) }, /^(?!.*chroot=).*$/],
    'an image that is not there is a reason, not a crash': [
      { image: () => undefined },
      /^none: profile micro needs image kernel \(vmlinuz\)/,
    ],
    'a system that is not there': [
      { system: () => undefined },
      /^none: role web names system web, which does not exist/,
    ],
    'single with two systems': [
      { assignment: assigned({ mode: 'single' }) },
      /^none: role web is single and has 2 systems/,
    ],
    'a second ip= is refused': [{ assignment: assigned({}, { args: ['ip=dhcp'] }) }, /^none: .*2 ip= arguments/],
    'a newline is refused': [
      { assignment: assigned({}, { args: ['a=b\nc'] }) },
      /^none: kernel argument "a=b\\nc" has a character/,
    ],
    'a shell character for GRUB is refused': [
      { assignment: assigned({}, { args: ['a=$b'] }) },
      /^none: kernel argument/,
    ],
    'more than 2,047 characters are refused': [
      { assignment: assigned({}, { args: ['x='.padEnd(2000, 'y')] }) },
      /^none: the kernel command line has \d+ characters, the limit is 2047/,
    ],
    'an undeclared parameter is refused': [
      { assignment: assigned({}, { args: ['x={{params.nope}}'] }) },
      /^none: .*params\.nope/,
    ],
    'no role': [
      { assignment: { kind: 'none', reason: 'machine node1 has no role', unlisted: false } },
      /^none: machine node1 has no role/,
    ],
    'a local profile': [{ assignment: assigned({}, { kind: 'local' }) }, /^local: /],
  };
  test.each(Object.entries(rows))('%s', (_name, [over, expected]) => {
    expect(args(over)).toMatch(expected);
  });

  test('exactly 2,047 characters pass, one more does not', () => {
    const fixed = args({ assignment: assigned({}, { args: ['x='] }) }).length;
    const filler = (length: number): Partial<BootPlanInput> => ({
      assignment: assigned({}, { args: [`x=${'y'.repeat(length - fixed)}`] }),
    });
    expect(args(filler(2047))).toHaveLength(2047);
    expect(args(filler(2048))).toMatch(/^none: .*2048 characters/);
  });

  test('a role that no machine could boot is told as soon as its shortest command line is too long', () => {
    const url = input().server.url;
    const names = Array.from({ length: 20 }, (_, n) => `${'s'.repeat(61)}${String(n).padStart(2, '0')}`);
    const shortest = (systems: readonly string[], params: Readonly<Record<string, string>> = {}): number =>
      args({
        assignment: assigned({ systems: [...systems], params }),
        system,
        address: undefined,
        session: '0'.repeat(SESSION_DIGITS),
        nonce: '0'.repeat(NONCE_DIGITS),
      }).length;
    const fault = (systems: readonly string[], params: Readonly<Record<string, string>> = {}) =>
      commandLineFault({ mode: 'resident', systems, params }, profile, url);
    const room = 2047 - shortest(names, { console: '' });
    // Without a value the whole argument is left out: ` console=` comes back with the first letter.
    const filled = (letters: number) => ({ console: 'x'.repeat(letters - ' console='.length) });
    expect(shortest(names, filled(room))).toBe(2047);
    expect(fault(names, filled(room))).toBeUndefined();
    expect(fault(names, filled(room + 1))).toEqual({
      field: 'systems',
      message: 'the kernel command line has 2048 characters, the limit is 2047',
      allowed: 'shorten the arguments of the profile or the names of the systems',
    });
    expect(fault([], { console: 'x'.repeat(2000) })).toMatchObject({ field: 'params' });
    expect(fault(names, { console: 'a b' })).toMatchObject({
      field: 'params',
      message: expect.stringContaining('"console=a b"'),
    });
    expect(commandLineFault({ mode: 'resident', systems: [], params: {} }, { ...profile, kind: 'local' }, url)).toBe(
      undefined,
    );
  });

  test('discover has neither root file system nor mode', () => {
    const assignment: Assignment = {
      kind: 'discover',
      profile: { ...profile, name: 'discover', kind: 'discover' },
      reason: 'unknown',
    };
    const line = args({ assignment, address: 177 as Ipv4, subnet: undefined });
    expect(line).not.toMatch(/anybios\.(rootfs|mode|sha256)/);
    expect(line).toMatch(/anybios\.nonce=n1/);
  });

  test('every value has its reason', () => {
    const plan = decideBootPlan(input());
    expect(plan.why.map((line) => line.key)).toEqual([
      'assignment',
      'profile',
      'vmlinuz',
      'initrd',
      'modules',
      'image base',
      'image base',
      'image micro',
      'ip',
      'command line',
    ]);
    for (const line of plan.why) expect(line.reason).not.toBe('');
  });
});
