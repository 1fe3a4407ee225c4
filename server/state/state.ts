import type { BootSession } from '../domain/boot-session.js';
import type { Change } from '../domain/desired.js';
import type { Digest } from '../domain/digest.js';
import type { Image } from '../domain/image.js';
import type { Ipv4 } from '../domain/ipv4.js';
import type { Mac } from '../domain/mac.js';
import type { Machine, Observed } from '../domain/machine.js';
import { opaqueHex } from '../domain/opaque-id.js';
import type { Snapshot } from '../domain/ports.js';
import type { Profile } from '../domain/profile.js';
import { portKey, relayKey } from '../domain/relay-key.js';
import type { Role } from '../domain/role.js';
import { type Holding, isSpareOf } from '../domain/standby.js';
import type { System } from '../domain/system.js';
import { standing } from './standing.js';
import { systemAddresses } from './system-addresses.js';

/**
 * Whatever is needed to answer a booting machine: in memory, O(1) by every key. Changed only after the store has the change.
 * Leases live beside it (state/leases.ts).
 */
export class State {
  /** What each is now (state/standing.ts); `written` holds them as the site file says. */
  readonly machines = new Map<string, Machine>();
  readonly written = new Map<string, Machine>();
  readonly roles = new Map<string, Role>();
  readonly systems = new Map<string, System>();
  readonly profiles = new Map<string, Profile>();
  /** By name, then by version. */
  readonly images = new Map<string, Map<string, Image>>();
  /** By machine name, or MAC of a machine that is only discovered. */
  readonly observed = new Map<string, Observed>();
  /** The newest session of each key. */
  readonly sessions = new Map<string, BootSession>();
  /** Who holds the role of a machine, if not simply the machine; by that machine. */
  readonly holdings = new Map<string, Holding>();
  readonly #placeOf = new Map<string, string>();
  /** Machines between which a role moves at this moment: from a key to its value (control/moves.ts). */
  readonly moving = new Map<string, string>();
  /** Files of images that failed their verification: nobody is given them (images/damage-watch.ts). */
  readonly #damaged = new Set<Digest>();
  readonly #byMac = new Map<Mac, Machine>();
  readonly #byUuid = new Map<string, Machine>();
  readonly #byClientId = new Map<string, Machine>();
  readonly #byPort = new Map<string, Machine>();
  readonly #byAddress = new Map<Ipv4, Machine>();
  readonly #byDigest = new Map<Digest, Image>();
  /** Written addresses of systems; most sites have few or none. */
  #bySystemAddress: ReadonlyMap<Ipv4, Machine> = new Map();
  #revision = 0;
  #unaddressed = 0;

  constructor(snapshot: Snapshot, profiles: Iterable<Profile>) {
    for (const profile of profiles) this.profiles.set(profile.name, profile);
    for (const system of snapshot.systems) this.systems.set(system.name, system);
    for (const role of snapshot.roles) this.roles.set(role.name, role);
    for (const holding of snapshot.holdings) this.#putHolding(holding);
    for (const machine of snapshot.machines) this.written.set(machine.name, machine);
    for (const machine of snapshot.machines) this.#putMachine(machine);
    for (const image of snapshot.images) this.putImage(image);
    for (const observed of snapshot.observed) this.observed.set(observed.key, observed);
    for (const session of snapshot.sessions) this.sessions.set(session.key, session);
    this.#bySystemAddress = systemAddresses(this);
  }

  /** Grows with every change of desired state and images: what was made of them before is old. */
  get revision(): number {
    return this.#revision;
  }

  /** How many machines have no address of their own. */
  get unaddressed(): number {
    return this.#unaddressed;
  }

  machineByMac(mac: Mac): Machine | undefined {
    return this.#byMac.get(mac);
  }

  machineByUuid(uuid: string): Machine | undefined {
    return this.#byUuid.get(uuid);
  }

  /** `clientId`: option 61 in hex. RFC 2132 lets a client put a type byte 0 before a text. */
  machineByClientId(clientId: string): Machine | undefined {
    const plain = clientId.startsWith('00') ? this.#byClientId.get(clientId.slice(2)) : undefined;
    return this.#byClientId.get(clientId) ?? plain;
  }

  /** The machine pinned to this port; ids of option 82 in hex. One that names both is nearer than one that names either. */
  machineByPort(circuitId: string | undefined, remoteId: string | undefined): Machine | undefined {
    if (this.#byPort.size === 0) return undefined;
    return (
      this.#byPort.get(portKey(circuitId, remoteId)) ??
      (circuitId === undefined ? undefined : this.#byPort.get(portKey(circuitId, undefined))) ??
      (remoteId === undefined ? undefined : this.#byPort.get(portKey(undefined, remoteId)))
    );
  }

  /** The machine whose reserved address this is, or that runs the system whose address it is. */
  machineByAddress(address: Ipv4): Machine | undefined {
    return this.#byAddress.get(address) ?? this.#bySystemAddress.get(address);
  }

  /** `name` = its `stable` version, `name:word` = that version or tag. */
  image(reference: string): Image | undefined {
    const [name = '', word = 'stable'] = reference.split(':');
    const versions = this.images.get(name);
    if (versions === undefined) return undefined;
    const exact = versions.get(word);
    if (exact !== undefined) return exact;
    for (const image of versions.values()) if (image.tags.includes(word)) return image;
    return undefined;
  }

  /** Takes over what the store has accepted. */
  applyChanges(changes: readonly Change[]): void {
    this.#revision += 1;
    const stale = new Set<string>();
    for (const change of changes) {
      switch (change.kind) {
        case 'machine':
          if (change.value === undefined) this.written.delete(change.name);
          else this.written.set(change.name, change.value);
          stale.add(change.name);
          for (const { place, holder } of this.holdings.values()) if (place === change.name) stale.add(holder);
          break;
        case 'role':
          if ((change.value?.spares ?? this.roles.get(change.name)?.spares) !== undefined) {
            for (const name of this.written.keys()) stale.add(name);
          }
          if (change.value === undefined) this.roles.delete(change.name);
          else this.roles.set(change.name, change.value);
          break;
        case 'system':
          if (change.value === undefined) this.systems.delete(change.name);
          else this.systems.set(change.name, change.value);
          break;
      }
    }
    // After all changes: what a machine is hangs on roles too. All leave before any comes: two may have swapped a MAC.
    this.#stand([...stale]);
    this.#bySystemAddress = systemAddresses(this);
  }

  /** Takes over what the store has accepted; undefined = the machine has its own role itself. */
  setHolding(place: string, holding: Holding | undefined): void {
    this.#revision += 1;
    const before = this.holdings.get(place);
    if (before !== undefined && this.#placeOf.get(before.holder) === place) this.#placeOf.delete(before.holder);
    if (holding === undefined) this.holdings.delete(place);
    else this.#putHolding(holding);
    this.#stand([place, before?.holder ?? place, holding?.holder ?? place]);
    this.#bySystemAddress = systemAddresses(this);
  }

  /** From now on `from` runs nothing, and nothing else comes to `to`; `to` undefined: that is over. In memory only. */
  setMoving(from: string, to: string | undefined): void {
    this.#revision += 1;
    if (to === undefined) this.moving.delete(from);
    else this.moving.set(from, to);
    this.#stand([from]);
    this.#bySystemAddress = systemAddresses(this);
  }

  /** Whether a role is on its way from or to this machine. */
  isMoving(name: string): boolean {
    return this.moving.has(name) || [...this.moving.values()].includes(name);
  }

  /** The place that this machine holds: its own, another's, or none. */
  placeOf(holder: string): string | undefined {
    return this.#placeOf.get(holder) ?? (this.holdings.has(holder) ? undefined : this.written.get(holder)?.name);
  }

  #putHolding(holding: Holding): void {
    this.holdings.set(holding.place, holding);
    this.#placeOf.set(holding.holder, holding.place);
  }

  #stand(names: readonly string[]): void {
    for (const name of names) this.#removeMachine(name);
    for (const name of new Set(names)) {
      const machine = this.written.get(name);
      if (machine !== undefined) this.#putMachine(machine);
    }
  }

  #spareOf(machine: Machine): string | undefined {
    const found = [...this.roles.values()].filter(({ spares }) => isSpareOf(spares, machine)).map(({ name }) => name);
    return found.sort()[0];
  }

  putImage(image: Image): void {
    this.#revision += 1;
    const versions = this.images.get(image.name) ?? new Map<string, Image>();
    for (const [version, other] of versions) {
      const kept = other.tags.filter((tag) => !image.tags.includes(tag));
      if (kept.length !== other.tags.length) versions.set(version, { ...other, tags: kept });
    }
    versions.set(image.version, image);
    this.images.set(image.name, versions);
    for (const file of image.files) this.#byDigest.set(file.digest, image);
  }

  get damaged(): ReadonlySet<Digest> {
    return this.#damaged;
  }

  markDamaged(digest: Digest, damaged: boolean): void {
    this.#revision += 1;
    if (damaged) this.#damaged.add(digest);
    else this.#damaged.delete(digest);
  }

  /** Takes a tag away from whichever version has it. */
  untagImage(name: string, tag: string): void {
    this.#revision += 1;
    const versions = this.images.get(name) ?? new Map<string, Image>();
    for (const [version, image] of versions) {
      if (image.tags.includes(tag)) versions.set(version, { ...image, tags: image.tags.filter((own) => own !== tag) });
    }
  }

  /** An image that this file belongs to. */
  imageByDigest(digest: Digest): Image | undefined {
    return this.#byDigest.get(digest);
  }

  removeImage(name: string, version: string): void {
    this.#revision += 1;
    const versions = this.images.get(name);
    const image = versions?.get(version);
    versions?.delete(version);
    if (versions?.size === 0) this.images.delete(name);
    // Two images may share a file: the digest then belongs to the other one from now on.
    for (const file of image?.files ?? []) {
      const heir = this.#imageWith(file.digest);
      if (heir === undefined) this.#byDigest.delete(file.digest);
      else this.#byDigest.set(file.digest, heir);
    }
  }

  #imageWith(digest: Digest): Image | undefined {
    for (const versions of this.images.values()) {
      for (const image of versions.values()) if (image.files.some((file) => file.digest === digest)) return image;
    }
    return undefined;
  }

  #putMachine(written: Machine): void {
    const machine = standing(written, {
      written: this.written,
      holdings: this.holdings,
      placeOf: (holder) => this.#placeOf.get(holder),
      spareOf: (spare) => this.#spareOf(spare),
      isLeaving: (name) => this.moving.has(name),
    });
    this.machines.set(machine.name, machine);
    if (machine.address === undefined) this.#unaddressed++;
    for (const mac of machine.macs) this.#byMac.set(mac, machine);
    if (machine.uuid !== undefined) this.#byUuid.set(machine.uuid, machine);
    if (machine.address !== undefined) this.#byAddress.set(machine.address, machine);
    if (machine.standsFor?.address !== undefined) this.#byAddress.set(machine.standsFor.address, machine);
    if (machine.clientId !== undefined) this.#byClientId.set(opaqueHex(machine.clientId), machine);
    const port = machine.relay === undefined ? undefined : relayKey(machine.relay);
    if (port !== undefined) this.#byPort.set(port, machine);
  }

  #removeMachine(name: string): void {
    const old = this.machines.get(name);
    if (old === undefined) return;
    this.machines.delete(name);
    if (old.address === undefined) this.#unaddressed--;
    for (const mac of old.macs) if (this.#byMac.get(mac) === old) this.#byMac.delete(mac);
    if (old.uuid !== undefined && this.#byUuid.get(old.uuid) === old) this.#byUuid.delete(old.uuid);
    const clientId = old.clientId === undefined ? undefined : opaqueHex(old.clientId);
    if (clientId !== undefined && this.#byClientId.get(clientId) === old) this.#byClientId.delete(clientId);
    const port = old.relay === undefined ? undefined : relayKey(old.relay);
    if (port !== undefined && this.#byPort.get(port) === old) this.#byPort.delete(port);
    for (const address of [old.address, old.standsFor?.address])
      if (address !== undefined && this.#byAddress.get(address) === old) this.#byAddress.delete(address);
  }
}
