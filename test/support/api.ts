import type { AddressInfo, Socket } from 'node:net';
import { markDamaged } from '../../server/boot/image-events.js';
import { Jobs } from '../../server/control/jobs.js';
import type { SshClient } from '../../server/control/ssh-session.js';
import { moveChanges } from '../../server/decide/move.js';
import type { HeardFact } from '../../server/domain/heard-fact.js';
import { parseCidr, parseRange } from '../../server/domain/ipv4.js';
import type { Lease } from '../../server/domain/lease.js';
import type { Store } from '../../server/domain/ports.js';
import type { Subnet } from '../../server/domain/site.js';
import type { ApiDeps, ImageFiles } from '../../server/http/api-deps.js';
import { createApp } from '../../server/http/app.js';
import { nameBehind } from '../../server/http/auth.js';
import { DesiredWriter } from '../../server/http/desired-writer.js';
import { listening } from '../../server/http/listen.js';
import { Tokens } from '../../server/http/tokens.js';
import { DamageWatch } from '../../server/images/damage-watch.js';
import { ImageKeeper } from '../../server/images/image-keeper.js';
import { createSortedServer } from '../../server/images/sorted-server.js';
import { LeaseBook } from '../../server/state/leases.js';
import { startCore, type TestCore } from './boot-core.js';
import { MemoryLeases } from './dhcp-rules.js';
import { answerFaults, type OpenApi } from './openapi-check.js';

export const adminToken = 'admin-token-of-the-test-0123456789abcdef';

export interface TestApi {
  readonly core: TestCore;
  readonly url: string;
  readonly deps: ApiDeps;
  /** With `imagesDir`. */
  readonly keeper: ImageKeeper | undefined;
  readonly leases: Lease[];
  /** What was heard about the network. */
  readonly heard: HeardFact[];
  /** What is not ready; the test may fill it. */
  readonly missing: string[];
  /** What the app wrote to the log as an error. */
  readonly errors: string[];
  /** Subscriptions to the event feed. */
  readonly listeners: { readonly count: number };
  /** With the admin token; a body is sent as JSON unless it is text. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The same with the answer read. It must be what openapi.json describes. */
  json(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  /** As when a cable is pulled: the server goes on. */
  dropConnections(): void;
  shutDown(): void;
  close(): Promise<void>;
}

/** The app over the real core and store, on a port of the loopback. `wrapStore` puts a failing store between. */
export async function startApi(
  options: {
    readonly core?: Parameters<typeof startCore>[0];
    readonly wrapStore?: (store: Store) => Store;
    /** Of an image store; its process is started. */
    readonly imagesDir?: string;
    readonly ssh?: SshClient;
  } = {},
): Promise<TestApi> {
  const core = await startCore(options.core);
  const store = options.wrapStore?.(core.store) ?? core.store;
  const closing = new AbortController();
  const leases: Lease[] = [];
  const heard: HeardFact[] = [];
  const missing: string[] = [];
  const errors: string[] = [];
  const listeners = { count: 0 };
  const clock = (): number => core.now;
  const tokens = new Tokens({ adminToken, records: [], store, clock });
  const log = { error: (_data: object, message: string) => void errors.push(message) };
  const keeper = await startKeeper(options.imagesDir, tokens, core, log);
  let ids = 0;
  const newId = (): string => `job-${++ids}`;
  const writer = new DesiredWriter({
    state: core.state,
    store,
    boot: core.views,
    subnets: testSubnets,
    templateFault: () => undefined,
    bootUrl: 'http://10.77.0.1:8080',
  });
  const jobs = new Jobs({
    store,
    state: core.state,
    record: (event) => core.events.record(event),
    ssh: options.ssh,
    clock,
    newId,
    expirySeconds: 3600,
    switchedOff: (machine, session) => core.doors.switchedOff(machine, session),
    moveRole: async (plan, by) => {
      await writer.change(by, (desired) => moveChanges(plan, desired));
    },
    log: { error: (_data, message) => errors.push(message) },
  });
  const deps: ApiDeps = {
    state: core.state,
    store,
    events: {
      record: (event) => core.events.record(event),
      subscribe: (listener) => {
        const unsubscribe = core.events.subscribe(listener);
        listeners.count += 1;
        return () => {
          listeners.count -= 1;
          unsubscribe();
        };
      },
    },
    poolUsage: (now) =>
      new LeaseBook({
        leases,
        subnets: testSubnets,
        excluded: [],
        reservedFor: () => undefined,
        store: new MemoryLeases(),
      }).usage(now),
    boot: core.views,
    images: keeper?.images ?? noImages,
    damageChanged: async () => await keeper?.damage.refresh(),
    leases: () => leases,
    releaseLease: async (address) => {
      const index = leases.findIndex((lease) => lease.address === address);
      const lease = leases[index];
      if (lease === undefined) return undefined;
      const released: Lease = { ...lease, state: 'released' };
      leases[index] = released;
      return released;
    },
    heard: () => heard,
    jobs,
    writer,
    newId,
    tokens,
    subnets: testSubnets,
    templateFault: () => undefined,
    bootUrl: 'http://10.77.0.1:8080',
    clock,
    notReady: () => missing,
    closing: closing.signal,
    machineRoutes: [],
    log,
    version: '0.0.0-test',
  };
  const { server, close } = createSortedServer(createApp(deps), (socket, first) => {
    if (keeper === undefined) socket.destroy();
    else keeper.images.handOver(socket, first);
  });
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await listening(server, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const call: TestApi['call'] = (method, path, body, headers = {}) =>
    fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  let document: OpenApi | undefined;
  const described = async (): Promise<OpenApi> => {
    document ??= (await (await call('GET', '/api/v1/openapi.json')).json()) as OpenApi;
    return document;
  };
  return {
    core,
    url,
    deps,
    keeper: keeper?.images,
    leases,
    heard,
    missing,
    errors,
    listeners,
    call,
    json: async (method, path, body) => {
      const response = await call(method, path, body);
      const text = await response.text();
      const value: unknown = text === '' ? undefined : JSON.parse(text);
      const faults = answerFaults(await described(), method, path, response.status, value);
      if (faults.length > 0) throw new Error(`${method} ${path}: not as openapi.json says:\n${faults.join('\n')}`);
      return { status: response.status, body: value };
    },
    dropConnections: () => {
      for (const socket of sockets) socket.destroy();
    },
    shutDown: () => closing.abort(),
    close: async () => {
      closing.abort();
      await jobs.close();
      await close();
      keeper?.damage.stop();
      await keeper?.images.close();
      await core.close();
    },
  };
}

const testSubnets: readonly Subnet[] = [
  {
    cidr: parseCidr('10.77.0.0/24'),
    mode: 'full',
    pools: [parseRange('10.77.0.100-10.77.0.119')],
    dns: [],
    leaseSeconds: 3600,
  },
];

/** As server/main.ts wires it. */
async function startKeeper(
  imagesDir: string | undefined,
  tokens: Tokens,
  core: TestCore,
  log: ApiDeps['log'],
): Promise<{ readonly images: ImageKeeper; readonly damage: DamageWatch } | undefined> {
  if (imagesDir === undefined) return undefined;
  const images = new ImageKeeper({
    imagesDir,
    authorize: (header) => nameBehind(tokens, header),
    onUploaded: () => damage.refresh().catch((error: unknown) => log.error({ error }, 'damage')),
    log,
  });
  await images.start();
  const damage: DamageWatch = new DamageWatch({
    imagesDir,
    files: images,
    damaged: core.state.damaged,
    mark: (digest, damaged) => markDamaged(core.state, core.events, digest, damaged),
    log,
  });
  await damage.start();
  return { images, damage };
}

const noImages: ImageFiles = {
  size: () => Promise.resolve(undefined),
  list: () => Promise.resolve([]),
  fetch: () => Promise.reject(new Error('this test has no image store')),
  verify: () => Promise.resolve('missing'),
  remove: () => Promise.resolve([]),
  clearPartial: () => Promise.resolve(0),
};
