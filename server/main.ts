import { setMaxListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { Router } from 'express';
import { type Logger, pino } from 'pino';
import { randomIds } from './boot/random-ids.js';
import { type Config, serverAddress } from './config.js';
import { keysToRestartFor } from './config-changes.js';
import { Jobs } from './control/jobs.js';
import { SshClient } from './control/ssh-session.js';
import { moveChanges } from './decide/move.js';
import { DhcpMetrics } from './dhcp/dhcp-metrics.js';
import { PacketGuard } from './dhcp/packet-guard.js';
import { PoolWatch } from './dhcp/pool-watch.js';
import { createDhcpServer } from './dhcp/server.js';
import { WireWatch } from './dhcp/wire-watch.js';
import type { NewEvent } from './domain/event.js';
import { contains, formatIpv4, parseIpv4 } from './domain/ipv4.js';
import type { ServerIdentity, Subnet } from './domain/site.js';
import { agentRoutes } from './http/agent.js';
import { createApp } from './http/app.js';
import { bootRoutes, otherNames } from './http/boot-routes.js';
import { DesiredWriter } from './http/desired-writer.js';
import { redirectImages } from './images/redirect-images.js';
import { type Closers, closeAll } from './main/closers.js';
import { listenHttp } from './main/listen-http.js';
import { logOutput } from './main/log-output.js';
import { openCore } from './main/open-core.js';
import { assetsOf, type Flavour } from './main/shipped-assets.js';
import { goFirst } from './native/go-first.js';
import { packageRoot } from './paths.js';
import { templateFault } from './render/text-templates.js';
import { createTftpServer } from './tftp/server.js';

export interface RunningServer {
  /** `http://10.77.0.1:8080`: what goes into boot URLs. */
  readonly url: string;
  /**
   * Takes over what a new configuration says of DHCP and unknown machines; answers under way are finished. Resolves to the keys
   * that differ and need a restart. Rejects when a socket cannot be opened; then nothing has changed.
   */
  reload(config: Config): Promise<readonly string[]>;
  /** Ends in the reverse order of the start; what was promised to a machine is on disk before this resolves. */
  close(): Promise<void>;
}

/** Reads every lease: 100,000 take a few milliseconds. */
const POOL_CHECK_MS = 2000;

export interface ServerOptions {
  readonly log?: Logger;
  /** Which build of the boot assets becomes `stable` when it is new; default: hardware if it was built, else cloud. */
  readonly flavour?: Flavour;
}

/** Wires everything and starts it. Rejects with the reason when a part cannot start; then nothing is left running. */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  // Errors are logged under `error`: without this pino would leave their message out.
  const log = options.log ?? pino({ serializers: { error: pino.stdSerializers.err } }, logOutput());
  const closers: Closers = [];
  const close = (): Promise<void> => closeAll(closers);
  const hindrance = await goFirst();
  if (hindrance !== undefined) log.info({ reason: hindrance }, 'answers have the priority of the rest');
  try {
    const { url, reload } = await start(config, assetsOf(options.flavour), log, closers);
    return { url, reload, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Store, state and boot core, then jobs, the API, HTTP, TFTP and at last DHCP: what it hands out is there by then. */
async function start(
  config: Config,
  assets: string,
  log: Logger,
  closers: Closers,
): Promise<Pick<RunningServer, 'url' | 'reload'>> {
  const clock = Date.now;
  let current = config;
  const identity = identityOf(config);
  const opened = await openCore(config, { identity, assets, log, clock, closers });
  const { store, state, leases, images, damage, tokens, controlKey, boot: core } = opened;

  const newId = randomIds();
  const writer = new DesiredWriter({
    state,
    store,
    boot: core.views,
    get subnets() {
      return current.dhcp.subnets;
    },
    templateFault,
    bootUrl: identity.url,
  });
  const jobs = new Jobs({
    store,
    state,
    record: (event) => core.events.record(event),
    ssh: controlKey === undefined ? undefined : new SshClient(controlKey.path),
    clock,
    newId,
    get expirySeconds() {
      return current.jobs.expiry;
    },
    switchedOff: (machine, session) => {
      core.doors.switchedOff(machine, session);
      core.standby
        .switchedOff(machine)
        .catch((error: unknown) => log.error({ error, machine }, 'that a machine was switched off could not be saved'));
    },
    moveRole: async (plan, by) => {
      await writer.change(by, (desired) => moveChanges(plan, desired));
    },
    log: log.child({ part: 'control' }),
  });
  closers.push(() => jobs.close());
  await jobs.start();

  const dhcpMetrics = new DhcpMetrics();
  const closing = new AbortController();
  // Each event stream listens to it: many are normal.
  setMaxListeners(0, closing.signal);
  const waitingFor = new Set(['HTTP', 'TFTP', 'DHCP']);
  const httpLog = log.child({ part: 'http' });
  const dhcpLog = log.child({ part: 'dhcp' });
  const record = (event: Omit<NewEvent, 'at'>): void => core.events.record(event);
  const watch = new WireWatch({ record, clock, log: dhcpLog });
  const app = createApp({
    state,
    store,
    events: core.events,
    boot: core.views,
    images,
    damageChanged: () => damage.refresh(),
    jobs,
    writer,
    newId,
    leases: () => leases.all(),
    poolUsage: (now) => leases.usage(now),
    releaseLease: (address) => leases.release(address, Math.floor(clock() / 1000)),
    heard: () => watch.seen(),
    tokens,
    get subnets() {
      return current.dhcp.subnets;
    },
    templateFault,
    bootUrl: identity.url,
    clock,
    moreMetrics: () => [...dhcpMetrics.lines(), ...core.downloadQueue.metrics()],
    notReady: () => [...waitingFor].map((part) => `${part} is not listening yet`),
    closing: closing.signal,
    machineRoutes: [
      { path: '/', router: Router().use(redirectImages) },
      { path: '/boot', router: bootRoutes('/boot', core.boot, httpLog) },
      { path: '/files', router: bootRoutes('/files', core.boot, httpLog) },
      { path: '/agent/v1', router: agentRoutes({ ...core, log: httpLog }) },
    ],
    otherNames: otherNames(core.boot),
    log: httpLog,
    version: productVersion(),
  });

  await listenHttp(config, app, { core: opened, log: httpLog, closers });
  closers.push(async () => closing.abort());
  waitingFor.delete('HTTP');

  const tftp = createTftpServer({
    addresses: config.tftp.addresses ?? [formatIpv4(identity.address)],
    port: config.listen.tftp,
    singlePort: config.tftp.ports === 'one',
    transport: config.tftp.transport,
    limits: { perAddress: config.tftp.perAddress },
    blockSizeFor: (address) => tftpBlockSize(current.dhcp.subnets, address),
    boot: core.boot,
    log: log.child({ part: 'tftp' }),
  });
  await tftp.start();
  closers.push(() => tftp.close());
  waitingFor.delete('TFTP');

  const pools = new PoolWatch({
    usage: () => leases.usage(Math.floor(clock() / 1000)),
    record,
  });
  const poolTimer = setInterval(() => pools.check(), POOL_CHECK_MS);
  closers.push(async () => clearInterval(poolTimer));
  const dhcp = createDhcpServer({
    interfaces: config.listen.interfaces,
    subnets: config.dhcp.subnets,
    mode: config.dhcp.mode,
    identity,
    boot: core.boot,
    leases,
    clock,
    log: dhcpLog,
    watch,
    guard: new PacketGuard({ record, clock }),
    metrics: dhcpMetrics,
  });
  await dhcp.start();
  closers.push(() => dhcp.close());
  waitingFor.delete('DHCP');
  log.info({ url: identity.url, interfaces: config.listen.interfaces, dataDir: config.dataDir }, 'anybios is ready');
  const reload = async (next: Config): Promise<readonly string[]> => {
    const { subnets, mode } = next.dhcp;
    await dhcp.configure({ subnets, mode }, () => {
      leases.configure(subnets);
      core.configure({
        subnets,
        unknown: next.unknown,
        downloads: next.downloads,
        changesAtOnce: next.jobs.changesAtOnce,
      });
      current = { ...current, dhcp: next.dhcp, unknown: next.unknown, downloads: next.downloads, jobs: next.jobs };
    });
    return keysToRestartFor(config, next);
  };
  return { url: identity.url, reload };
}

/** The largest block for this client's subnet; undefined = no limit. Subnets are IPv4. */
function tftpBlockSize(subnets: readonly Subnet[], address: string): number | undefined {
  if (!isIPv4(address)) return undefined;
  const parsed = parseIpv4(address);
  return subnets.find(({ cidr }) => contains(cidr, parsed))?.tftpBlockSize;
}

function identityOf(config: Config): ServerIdentity {
  const address = serverAddress(config);
  const { http, tftp } = config.listen;
  return { address, httpPort: http, tftpPort: tftp, url: `http://${formatIpv4(address)}:${http}` };
}

function productVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
