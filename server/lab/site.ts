import type { Accelerator } from './accelerator.js';
import { FIRMWARES, type Firmware, type VirtualMachine } from './firmware.js';
import { LAB_NETWORK } from './network.js';

/** More would leave the addresses below the pool. */
export const MACHINES_MAX = 80;

/** The roles that the lab's machines take in turn. */
const ROLES = ['web', 'db'] as const;

/** Machines `n1` … `nN`: MACs 52:54:00:77:00:01 and on, the firmwares in turn. */
export function labMachines(
  count: number,
  firmwares: readonly Firmware[],
  folder: string,
  memoryMiB?: number,
): readonly VirtualMachine[] {
  return Array.from({ length: count }, (_, index) => {
    const number = index + 1;
    const last = number.toString(16).padStart(2, '0');
    return {
      name: `n${number}`,
      mac: `52:54:00:77:00:${last}`,
      // Version 4 form; the last six bytes are the MAC, so that a reader sees which machine it is.
      uuid: `77000000-0000-4000-8000-5254007700${last}`,
      serial: `LAB${number}`,
      firmware: firmwares[index % firmwares.length] ?? FIRMWARES[0],
      tap: `tap${number}`,
      folder,
      ...(memoryMiB === undefined ? {} : { memoryMiB }),
    };
  });
}

/** The server's configuration for the lab's network (anybios.yaml). */
export function labConfig(
  unknownMachines = 'localdisk',
  addresses: { readonly cidr: string; readonly pool: string } = LAB_NETWORK,
): string {
  return `# Written by "anybios lab" at every start.
dataDir: ./data
listen:
  interfaces: [${LAB_NETWORK.bridge}]
  address: ${LAB_NETWORK.address}
  http: 8080
  tftp: 69
dhcp:
  mode: full
  subnets:
    - { cidr: ${addresses.cidr}, pool: ${addresses.pool}, leaseTime: 1h }
unknownMachines: ${unknownMachines}
`;
}

/**
 * What the lab's machines must be (site.yaml): web servers and stores in turn, in one profile, from one template. The
 * machine's name is in what each system answers, so that a reader sees who answered.
 */
export function labSite(machines: readonly VirtualMachine[]): string {
  const lines = machines.map((machine, index) => {
    const role = ROLES[index % ROLES.length] ?? ROLES[0];
    const labels = `{firmware: ${machine.firmware}}`;
    return `  - { name: ${machine.name}, macs: ["${machine.mac}"], address: ${addressOf(index + 1)}, role: ${role}, labels: ${labels} }`;
  });
  return `# Written by "anybios lab" at every start.
systems:
  - name: web
    kind: chroot
    image: base
    command: [/bin/httpd, -f, -p, "80", -h, /srv/www]
    files:
      /srv/www/index.html: "web on {{machine.name}}\\n"
    restart: always
  - name: db
    kind: chroot
    image: base
    command: [/bin/nc, -ll, -p, "5432", -e, /bin/cat, /srv/db/records]
    files:
      /srv/db/records: "db on {{machine.name}}\\n"
    restart: always
roles:
  - { name: web, profile: micro, mode: resident, systems: [web] }
  - { name: db, profile: micro, mode: resident, systems: [db] }
machines:
${lines.join('\n')}
`;
}

/** The reserved address of the lab's machine with this number, from 1. */
export const addressOf = (number: number): string => `10.77.0.${10 + number}`;

/** How many machines boot at the same time: emulated firmware that waits for a processor runs into its own timeouts. */
export const bootsAtOnce = (accelerator: Accelerator, processors: number): number =>
  accelerator === 'kvm' ? MACHINES_MAX : Math.max(2, processors);
