import { describe, expect, it } from 'vitest';
import type { PlannedFile } from '../../server/decide/boot-plan.js';
import { planSystems, type SystemPlanInput } from '../../server/decide/system-plan.js';
import { formatIpv4, parseCidr, parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import type { Subnet } from '../../server/domain/site.js';
import type { System } from '../../server/domain/system.js';

const file = (name: string): PlannedFile => ({
  file: name,
  path: `/${name}`,
  url: `http://s/${name}`,
  digest: name,
  size: 1,
});
const system = (over: Partial<System>): System => ({
  name: 's',
  kind: 'container',
  image: 'base',
  command: ['a'],
  env: {},
  files: {},
  storage: 'ram',
  restart: 'always',
  ...over,
});
const subnet: Subnet = {
  cidr: parseCidr('10.77.0.0/24'),
  mode: 'full',
  pools: [],
  router: parseIpv4('10.77.0.1'),
  dns: [parseIpv4('10.77.0.2')],
  leaseSeconds: 3600,
};
const plan = (systems: readonly System[], over: Partial<SystemPlanInput> = {}) =>
  planSystems({
    machine: 'node1',
    systems,
    dns: subnet.dns,
    subnetOf: () => subnet,
    part: (reference, wanted) => file(`${reference}.${wanted}`),
    ...over,
  });

describe('a system as its machine starts it', () => {
  it('a chroot has the machine’s network and its template', () => {
    const [planned] = plan([system({ kind: 'chroot', layer: 'own' })]);
    expect(planned).toMatchObject({ network: { kind: 'host' }, image: file('base.rootfs'), layer: file('own.rootfs') });
    expect(planned?.append).toBeUndefined();
  });

  it('a bridge: the derived MAC, or the written one with address, router and name server of its subnet', () => {
    const address = parseIpv4('10.77.0.50');
    const [first, second] = plan([
      system({ network: { bridge: 'boot' } }),
      system({ name: 't', network: { bridge: 'boot', mac: parseMac('02:00:00:00:00:07'), address } }),
    ]);
    expect(first?.network).toEqual({ kind: 'bridge', mac: expect.stringMatching(/^02:/) });
    expect(second?.network).toEqual({
      kind: 'bridge',
      mac: '02:00:00:00:00:07',
      address: { address, prefix: 24, gateway: subnet.router, dns: subnet.dns },
    });
  });

  it('NAT: an address from the name that other systems do not change', () => {
    const nat = (name: string) => system({ name, network: { nat: 'boot', ports: [] } });
    const of = (planned: ReturnType<typeof plan>, name: string) => {
      const network = planned.find((one) => one.system.name === name)?.network;
      return network?.kind === 'nat' ? formatIpv4(network.address.address) : undefined;
    };
    const alone = of(plan([nat('a')]), 'a');
    expect(alone).toMatch(/^198\.18\./);
    expect(of(plan([nat('b'), nat('c'), nat('a')]), 'a')).toBe(alone);
    const many = plan(Array.from({ length: 300 }, (_, number) => nat(`s${number}`)));
    expect(new Set(many.map((one) => of(many, one.system.name))).size).toBe(300);
  });

  it('a VM: the shared kernel, and a command line with its network', () => {
    const vm = { kind: 'vm', memoryBytes: 2 ** 26 } as const;
    const address = parseIpv4('10.77.0.50');
    const mac = parseMac('02:00:00:00:00:07');
    const [dhcp, fixed] = plan([
      system({ ...vm, network: { bridge: 'boot', mac } }),
      system({ ...vm, name: 't', kernel: 'new', network: { bridge: 'boot', mac, address } }),
    ]);
    expect(dhcp?.kernel?.vmlinuz).toEqual(file('kernel.vmlinuz'));
    expect(dhcp?.append).toBe(
      'console=ttyS0 panic=-1 reboot=t no_timer_check cryptomgr.notests ip=dhcp BOOTIF=01-02-00-00-00-00-07 anybios.vm=s',
    );
    expect(fixed?.kernel?.modules).toEqual(file('new.modules'));
    expect(fixed?.append).toBe(
      'console=ttyS0 panic=-1 reboot=t no_timer_check cryptomgr.notests ip=10.77.0.50::10.77.0.1:255.255.255.0:t::off:10.77.0.2 BOOTIF=01-02-00-00-00-00-07 anybios.vm=t',
    );
  });

  it('a VM with a disk has neither kernel nor command line', () => {
    const { image: _, ...bare } = system({ kind: 'vm', disk: 'disk', command: [] });
    const [planned] = plan([bare]);
    expect(planned?.disk).toEqual(file('disk.disk'));
    expect(planned?.kernel).toBeUndefined();
    expect(planned?.append).toBeUndefined();
  });
});
