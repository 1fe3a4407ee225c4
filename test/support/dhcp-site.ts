import type { BootOffer, BootSubnet, DhcpBoot, DhcpFacts, DhcpStep, Sender } from '../../server/boot/contract.js';
import { chooseLoader } from '../../server/decide/loader.js';
import type { DhcpServer } from '../../server/dhcp/contract.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import { type OpenDhcpLink, openDhcpLink } from '../../server/dhcp/socket.js';
import { parseCidr, parseIpv4, parseRange } from '../../server/domain/ipv4.js';
import type { Machine } from '../../server/domain/machine.js';
import type { Role } from '../../server/domain/role.js';
import type { ServerIdentity, Subnet } from '../../server/domain/site.js';
import { LeaseBook, type LeaseStore } from '../../server/state/leases.js';
import { openStore } from '../../server/store/open-store.js';
import type { DhcpWire } from './dhcp-namespace.js';

export const identity: ServerIdentity = {
  address: parseIpv4('10.77.0.1'),
  httpPort: 8080,
  tftpPort: 69,
  url: 'http://10.77.0.1:8080',
};

export function subnet(over: Partial<Subnet> = {}): Subnet {
  return {
    cidr: parseCidr('10.77.0.0/24'),
    mode: 'full',
    pools: [parseRange('10.77.0.100-10.77.0.200')],
    router: parseIpv4('10.77.0.1'),
    dns: [parseIpv4('10.77.0.1')],
    leaseSeconds: 3600,
    ...over,
  };
}

/** What the DHCP shell needs of a boot core, from a list of machines: every machine that netboots gets a loader, iPXE a script. */
export class SiteBoot implements DhcpBoot {
  readonly steps: DhcpStep[] = [];
  machines: readonly Machine[];
  /** The role of every machine. */
  role: Role | undefined;

  constructor(machines: readonly Machine[] = []) {
    this.machines = machines;
  }

  machineOf(facts: DhcpFacts): Machine | undefined {
    return this.machines.find((machine) => machine.macs.includes(facts.mac));
  }

  senderOf(facts: DhcpFacts): Sender {
    const assignment = { kind: 'none', reason: 'a test', unlisted: false } as const;
    return { machine: this.machineOf(facts), role: this.role, assignment };
  }

  bootOffer(facts: DhcpFacts, subnet: BootSubnet): BootOffer {
    const mode = subnet.mode === 'proxy' ? 'proxy' : 'full';
    if (facts.client === 'ipxe') {
      return {
        kind: 'script',
        url: `${identity.url}/boot/ipxe/${facts.mac.replaceAll(':', '-')}`,
        reason: 'iPXE asks',
      };
    }
    const machine = this.machineOf(facts);
    const setting = { loader: machine?.loader ?? 'auto', source: machine?.loader ? 'machine' : 'default' } as const;
    const choice = chooseLoader({ facts, mode, setting });
    if (choice.kind === 'none') return choice;
    return { ...choice, file: choice.transport === 'http' ? `${identity.url}/boot/${choice.file}` : choice.file };
  }

  step(step: DhcpStep): void {
    this.steps.push(step);
  }

  words(): string[] {
    return this.steps.map(({ message }) => message);
  }
}

export interface DhcpSite {
  readonly server: DhcpServer;
  readonly boot: SiteBoot;
  readonly leases: LeaseBook;
  /** Warnings and errors that were logged. */
  readonly troubles: string[];
  close(): Promise<void>;
}

/** The real DHCP server over the real store, listening on the wire's bridge. The same `path` again is a restart. */
export async function startDhcpSite(options: {
  readonly wire: DhcpWire;
  readonly path: string;
  readonly machines?: readonly Machine[];
  readonly subnets?: readonly Subnet[];
  readonly interfaces?: readonly string[];
  /** Puts something between the lease book and the store, to delay or refuse. */
  readonly around?: (store: LeaseStore) => LeaseStore;
}): Promise<DhcpSite> {
  const { wire } = options;
  const subnets = options.subnets ?? [subnet()];
  const boot = new SiteBoot(options.machines);
  const troubles: string[] = [];
  const store = await openStore({ path: options.path });
  const leases = new LeaseBook({
    leases: (await store.load()).leases,
    subnets,
    excluded: [identity.address],
    reservedFor: (address) => boot.machines.find((machine) => machine.address === address),
    store: options.around?.(store) ?? store,
  });
  const openLink: OpenDhcpLink = (name, events) => wire.inside(wire.server, () => openDhcpLink(name, events));
  const server = createDhcpServer({
    interfaces: options.interfaces ?? [wire.bridge],
    subnets,
    identity,
    boot,
    leases,
    clock: Date.now,
    log: {
      info: () => undefined,
      warn: (data, message) => troubles.push(`${message} ${JSON.stringify(data)}`),
      error: (data, message) => troubles.push(`${message} ${JSON.stringify(data)}`),
    },
    openLink,
  });
  await server.start();
  let closed = false;
  return {
    server,
    boot,
    leases,
    troubles,
    /** Twice is once. */
    async close() {
      if (closed) return;
      closed = true;
      await server.close();
      await store.close();
    },
  };
}
