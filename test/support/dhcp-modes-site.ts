import type { DhcpServer } from '../../server/dhcp/contract.js';
import { openReplyListener } from '../../server/dhcp/reply-listener.js';
import { openSecondLeg } from '../../server/dhcp/second-leg.js';
import { createDhcpServer } from '../../server/dhcp/server.js';
import { openDhcpLink } from '../../server/dhcp/socket.js';
import { WireWatch } from '../../server/dhcp/wire-watch.js';
import type { NewEvent } from '../../server/domain/event.js';
import type { Subnet } from '../../server/domain/site.js';
import { LeaseBook } from '../../server/state/leases.js';
import type { DhcpWire } from './dhcp-namespace.js';
import { MemoryLeases } from './dhcp-rules.js';
import { identity, SiteBoot } from './dhcp-site.js';

export interface ModesSite {
  readonly server: DhcpServer;
  readonly boot: SiteBoot;
  readonly watch: WireWatch;
  /** What the watch recorded: kind, level and text. */
  readonly events: string[];
  readonly store: MemoryLeases;
  readonly leases: LeaseBook;
}

/** The real DHCP server with its watch on the wire's bridge, one subnet. Close it with `server.close()`. */
export async function startModesSite(wire: DhcpWire, subnet: Subnet): Promise<ModesSite> {
  const boot = new SiteBoot();
  const store = new MemoryLeases();
  const recorded: Omit<NewEvent, 'at'>[] = [];
  const events: string[] = [];
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const watch = new WireWatch({
    record: (event) => {
      recorded.push(event);
      events.push(`${event.kind} ${event.level}: ${event.message}`);
    },
    clock: Date.now,
    log: quiet,
    openListener: (name) => wire.inside(wire.server, () => openReplyListener(name)),
  });
  const leases = new LeaseBook({
    leases: [],
    subnets: [subnet],
    excluded: [identity.address],
    reservedFor: () => undefined,
    store,
  });
  const server = createDhcpServer({
    interfaces: [wire.bridge],
    subnets: [subnet],
    mode: 'off',
    identity,
    boot,
    leases,
    clock: Date.now,
    log: quiet,
    openLink: (name, its) => wire.inside(wire.server, () => openDhcpLink(name, its)),
    openSecondLeg: (name, its) => wire.inside(wire.server, () => openSecondLeg(name, its)),
    watch,
  });
  await server.start();
  return { server, boot, watch, events, store, leases };
}
