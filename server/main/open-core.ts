import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { type BootCore, createBootCore } from '../boot/create-boot-core.js';
import { markDamaged } from '../boot/image-events.js';
import { randomIds } from '../boot/random-ids.js';
import type { Config } from '../config.js';
import { type ControlKey, controlKeyIfAny } from '../control/server-key.js';
import { neighbourOf } from '../dhcp/neighbours.js';
import { AnybiosError } from '../domain/errors.js';
import type { Store } from '../domain/ports.js';
import type { ServerIdentity } from '../domain/site.js';
import { nameBehind } from '../http/auth.js';
import { ensureAdminToken, Tokens } from '../http/tokens.js';
import { DamageWatch } from '../images/damage-watch.js';
import { ImageKeeper } from '../images/image-keeper.js';
import { shippedLoaders } from '../images/shipped.js';
import { siteFiles } from '../images/site-files.js';
import { profilesDir } from '../paths.js';
import { loadProfiles } from '../render/profiles.js';
import { cachedTemplates } from '../render/text-templates.js';
import { LeaseBook } from '../state/leases.js';
import { State } from '../state/state.js';
import { makeDataDir, serverKey } from '../store/data-dir.js';
import { openStore } from '../store/open-store.js';
import type { Closers } from './closers.js';
import { saveShippedImages } from './shipped-assets.js';

/** What the protocols stand on: everything that is known, on disk and in memory, and the boot core that decides with it. */
export interface Core {
  readonly store: Store;
  readonly state: State;
  readonly leases: LeaseBook;
  readonly images: ImageKeeper;
  readonly imagesDir: string;
  readonly damage: DamageWatch;
  readonly tokens: Tokens;
  /** Absent: there is no ssh-keygen here, and no job can reach a machine. */
  readonly controlKey: ControlKey | undefined;
  readonly boot: BootCore;
}

/** Database, images and profiles → state → boot core, which runs when this resolves. */
export async function openCore(
  config: Config,
  given: {
    readonly identity: ServerIdentity;
    /** Folder of the boot assets. */
    readonly assets: string;
    readonly log: Logger;
    readonly clock: () => number;
    readonly closers: Closers;
  },
): Promise<Core> {
  const { identity, assets, log, clock, closers } = given;
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
    unaddressed: () => state.unaddressed,
    store,
  });
  const { filesDir } = config;
  const boot = createBootCore({
    store,
    snapshot,
    state,
    identity,
    subnets: config.dhcp.subnets,
    unknown: config.unknown,
    downloads: config.downloads,
    changesAtOnce: config.jobs.changesAtOnce,
    key: await serverKey(store),
    files: {
      loaders: await shippedLoaders(assets),
      imageFile: async (digest) => {
        const found = await images.pathOf(digest);
        if (found !== undefined) return { kind: 'file', ...found };
        const reason = state.damaged.has(digest) ? 'this image is damaged' : 'no image has this digest';
        return { kind: 'none', reason };
      },
      siteFile: filesDir === undefined ? undefined : siteFiles(filesDir),
    },
    renderProfile: (name, loader, data) => {
      const loaded = profiles.get(name);
      if (loaded === undefined) throw new AnybiosError('not_found', `there is no profile ${name}`);
      return loaded[loader](data);
    },
    renderText: cachedTemplates(),
    leaseAddress: (mac) => leases.addressOf(mac),
    neighbour: (address) => neighbourOf(address),
    renewLease: async (mac) => {
      await leases.renew(mac, Math.floor(clock() / 1000));
    },
    controlKeys: () => (controlKey === undefined ? [] : [controlKey.publicKey]),
    log: log.child({ part: 'boot' }),
    clock,
    newId: randomIds(),
  });
  const damage = new DamageWatch({
    imagesDir,
    files: images,
    damaged: state.damaged,
    mark: (digest, damaged) => markDamaged(state, boot.events, digest, damaged),
    log: log.child({ part: 'images' }),
  });
  await damage.start();
  closers.push(async () => damage.stop());
  boot.sessions.start();
  boot.lost.start();
  boot.standby.start();
  closers.push(async () => {
    boot.sessions.stop();
    boot.lost.stop();
    boot.standby.stop();
    await boot.events.flush();
  });
  return { store, state, leases, images, imagesDir, damage, tokens, controlKey, boot };
}

/** `profiles/` beside the configuration, unless that is the shipped folder itself. */
function ownProfiles(config: Config): string[] {
  const own = resolve(dirname(config.file), 'profiles');
  return own !== resolve(profilesDir) && existsSync(own) ? [own] : [];
}
