import { setMaxListeners } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { isIPv4 } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { Router } from 'express';
import { type Logger, pino } from 'pino';
import { createBootCore } from './boot/create-boot-core.js';
import { markDamaged } from './boot/image-events.js';
import { randomIds } from './boot/random-ids.js';
import { type Config, serverAddress } from './config.js';
import { keysToRestartFor } from './config-changes.js';
import { Jobs } from './control/jobs.js';
import { controlKeyIfAny } from './control/server-key.js';
import { SshClient } from './control/ssh-session.js';
import { DhcpMetrics } from './dhcp/dhcp-metrics.js';
import { neighbourOf } from './dhcp/neighbours.js';
import { PacketGuard } from './dhcp/packet-guard.js';
import { PoolWatch } from './dhcp/pool-watch.js';
import { createDhcpServer } from './dhcp/server.js';
import { WireWatch } from './dhcp/wire-watch.js';
import { AnybiosError } from './domain/errors.js';
import type { NewEvent } from './domain/event.js';
import { contains, formatIpv4, parseIpv4 } from './domain/ipv4.js';
import type { Mac } from './domain/mac.js';
import type { Store } from './domain/ports.js';
import type { ServerIdentity, Subnet } from './domain/site.js';
import { agentRoutes } from './http/agent.js';
import { createApp } from './http/app.js';
import { nameBehind } from './http/auth.js';
import { answerBoot, bootRoutes } from './http/boot-routes.js';
import { listenOnSocket } from './http/listen.js';
import { ensureAdminToken, Tokens } from './http/tokens.js';
import { DamageWatch } from './images/damage-watch.js';
import { createDataPlane, openProxySocket, prepareProxyFolder, proxySocket } from './images/data-plane.js';
import { createHttpFront } from './images/front.js';
import { ImageKeeper } from './images/image-keeper.js';
import { NginxOutcomes } from './images/nginx-outcomes.js';
import { redirectImages } from './images/redirect-images.js';
import { registerShippedImages, shippedLoaders } from './images/shipped.js';
import { resolveInside } from './images/site-files.js';
import { createSortedServer } from './images/sorted-server.js';
import { assetsDir, packageRoot, profilesDir } from './paths.js';
import { loadProfiles } from './render/profiles.js';
import { cachedTemplates, templateFault } from './render/text-templates.js';
import { LeaseBook } from './state/leases.js';
import { poolUsage } from './state/pool-usage.js';
import { State } from './state/state.js';
import { makeDataDir, serverKey } from './store/data-dir.js';
import { openStore } from './store/open-store.js';
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

/** A line waits this long for others; written one by one they would cost a boot storm a tenth of its time. */
const LOG_FLUSH_MS = 100;

export type Flavour = 'cloud' | 'hardware';

export interface ServerOptions {
  readonly log?: Logger;
  /** Which build of the boot assets becomes `stable` when it is new; default: hardware if it was built, else cloud. */
  readonly flavour?: Flavour;
}

/** Wires everything and starts it. Rejects with the reason when a part cannot start; then nothing is left running. */
export async function startServer(config: Config, options: ServerOptions = {}): Promise<RunningServer> {
  // Errors are logged under `error`: without this pino would leave their message out.
  const log =
    options.log ??
    pino(
      { serializers: { error: pino.stdSerializers.err } },
      pino.destination({ sync: false, minLength: 4096, periodicFlush: LOG_FLUSH_MS }),
    );
  const assets = assetsOf(options.flavour);
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const { url, reload } = await start(config, assets, log, closers);
    return { url, reload, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function start(
  config: Config,
  assets: string,
  log: Logger,
  closers: (() => Promise<unknown>)[],
): Promise<Pick<RunningServer, 'url' | 'reload'>> {
  const clock = Date.now;
  let current = config;
  const identity = identityOf(config);
  makeDataDir(config.dataDir);

  const store = await openStore({ path: join(config.dataDir, 'anybios.db'), log: log.child({ part: 'store' }) });
  closers.push(() => store.close());
  const adminToken = await ensureAdminToken(config.dataDir);
  const controlKey = await controlKeyIfAny(config.dataDir, log);
  const imagesDir = join(config.dataDir, 'images');
  const images = new ImageKeeper({
    imagesDir,
    authorize: (header) => nameBehind(tokens, header),
    onUploaded: () => damage.refresh().catch((error: unknown) => log.error({ error }, 'looking for damaged images')),
    log: log.child({ part: 'images' }),
  });
  await images.start();
  closers.push(() => images.close());
  await saveShippedImages(store, images, assets, clock);

  const snapshot = await store.load();
  const tokens = new Tokens({ adminToken, records: snapshot.tokens, store, clock });
  const profiles = loadProfiles(profilesDir, ...ownProfiles(config));
  const state = new State(
    snapshot,
    Array.from(profiles.values(), ({ profile }) => profile),
  );
  const leases = new LeaseBook({
    leases: snapshot.leases,
    subnets: config.dhcp.subnets,
    excluded: [identity.address],
    reservedFor: (address) => state.machineByAddress(address),
    store,
  });
  const { filesDir } = config;
  const core = createBootCore({
    store,
    snapshot,
    state,
    identity,
    subnets: config.dhcp.subnets,
    unknown: config.unknown,
    downloads: config.downloads,
    key: await serverKey(store),
    files: {
      loaders: await shippedLoaders(assets),
      imageFile: async (digest) => {
        const found = await images.pathOf(digest);
        if (found !== undefined) return { kind: 'file', ...found };
        const reason = state.damaged.has(digest) ? 'this image is damaged' : 'no image has this digest';
        return { kind: 'none', reason };
      },
      siteFile: filesDir === undefined ? undefined : (name) => resolveInside(filesDir, name),
    },
    renderProfile: (name, loader, data) => {
      const loaded = profiles.get(name);
      if (loaded === undefined) throw new AnybiosError('not_found', `there is no profile ${name}`);
      return loaded[loader](data);
    },
    renderText: cachedTemplates(),
    leaseAddress: (mac) => leases.addressOf(mac),
    neighbour: (address) => neighbourOf(address),
    renewLease: async (mac) => await renewLease(leases, mac, clock),
    controlKeys: () => (controlKey === undefined ? [] : [controlKey.publicKey]),
    log: log.child({ part: 'boot' }),
    clock,
    newId: randomIds(),
  });
  const damage = new DamageWatch({
    imagesDir,
    files: images,
    damaged: state.damaged,
    mark: (digest, damaged) => markDamaged(state, core.events, digest, damaged),
    log: log.child({ part: 'images' }),
  });
  await damage.start();
  closers.push(async () => damage.stop());
  core.sessions.start();
  closers.push(async () => {
    core.sessions.stop();
    await core.events.flush();
  });

  const newId = randomIds();
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
    switchedOff: (machine, session) => core.doors.switchedOff(machine, session),
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
    newId,
    leases: () => leases.all(),
    releaseLease: (address) => leases.release(address, Math.floor(clock() / 1000)),
    heard: () => watch.seen(),
    tokens,
    get subnets() {
      return current.dhcp.subnets;
    },
    templateFault,
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
    log: httpLog,
    version: productVersion(),
  });

  const local = createSortedServer(app, (connection, first) => images.handOver(connection, first));
  await listenOnSocket(local.server, join(config.dataDir, 'anybios.sock'));
  closers.push(() => local.close());
  const server = createServer({ requestTimeout: 0 }, app);
  const plane = config.listen.images;
  const outcomes = new NginxOutcomes((report) => front.hear(report));
  const behindNginx =
    plane === 'nginx' || plane === 'accel' ? { path: proxySocket(config.dataDir), outcomes } : undefined;
  if (behindNginx !== undefined) prepareProxyFolder(config.dataDir);
  const front = createHttpFront({
    server,
    port: config.listen.http,
    plain: plane === 'streams',
    ...(behindNginx === undefined ? {} : { behindNginx }),
    answerBoot: answerBoot(core.boot),
    imagesDir,
    takeUpload: (connection, first) => images.handOver(connection, first),
    onTransfer: (report) => core.boot.transfer(report),
    log: httpLog,
  });
  await front.start();
  closers.push(() => front.close());
  if (plane === 'nginx' || plane === 'accel') {
    openProxySocket(config.dataDir);
    const dataPlane = createDataPlane({
      kind: plane,
      dataDir: config.dataDir,
      port: config.listen.http,
      log: httpLog,
      onLine: (line) => outcomes.line(line),
      onLost: (reason) => outcomes.failAll(reason),
    });
    await dataPlane.start();
    closers.push(() => dataPlane.close());
  }
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
    usage: () => poolUsage(current.dhcp.subnets, leases.all(), Math.floor(clock() / 1000)),
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
      core.configure({ subnets, unknown: next.unknown, downloads: next.downloads });
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

/** Builds lie in boot-assets/out (cloud) and boot-assets/out/hardware. */
function assetsOf(flavour: Flavour | undefined): string {
  const hardware = join(assetsDir, 'hardware');
  const wanted = flavour ?? (existsSync(join(hardware, 'manifest.json')) ? 'hardware' : 'cloud');
  return wanted === 'hardware' ? hardware : assetsDir;
}

function identityOf(config: Config): ServerIdentity {
  const address = serverAddress(config);
  const { http, tftp } = config.listen;
  return { address, httpPort: http, tftpPort: tftp, url: `http://${formatIpv4(address)}:${http}` };
}

/** New builds of the shipped images become `stable`; known ones are left as the operator tagged them. */
async function saveShippedImages(
  store: Store,
  imageStore: ImageKeeper,
  assets: string,
  now: () => number,
): Promise<void> {
  const { images } = await store.load();
  for (const image of await registerShippedImages({ assetsDir: assets, imageStore, known: images, now })) {
    await store.saveImage(image);
    for (const tag of image.tags) await store.tagImage(image.name, image.version, tag);
  }
}

/** `profiles/` beside the configuration, unless that is the shipped folder itself. */
function ownProfiles(config: Config): string[] {
  const own = resolve(dirname(config.file), 'profiles');
  return own !== resolve(profilesDir) && existsSync(own) ? [own] : [];
}

async function renewLease(leases: LeaseBook, mac: Mac, clock: () => number): Promise<void> {
  await leases.renew(mac, Math.floor(clock() / 1000));
}

function productVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown';
}
