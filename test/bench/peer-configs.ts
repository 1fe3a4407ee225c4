import { join } from 'node:path';
import type { BenchFolder } from './bench-folder.js';
import { PEER_ADDRESSES, RELAYS, SERVER_ADDRESS, SERVER_LINK } from './bench-wire.js';

// How each server is told the same: two /16 behind relays, leases of an hour that are on the disk, PXE ROMs get boot.efi by TFTP,
// iPXE gets the URL of its script, the files lie at the root of HTTP and TFTP.

const NETWORKS = RELAYS.map((relay) => relay.replace(/\.0\.1$/, ''));
const SCRIPT_URL = `http://${SERVER_ADDRESS}/s.ipxe`;

/** How an anybios differs from the one that does everything on the usual ports. */
export interface AnybiosVariant {
  readonly name: string;
  readonly http: number;
  readonly tftp: number;
  /** Lines of its own below `listen`, and others. */
  readonly images?: 'nginx';
  readonly transport?: 'dgram';
}

export const USUAL: AnybiosVariant = { name: 'anybios', http: 80, tftp: 69 };
/** Side by side with the usual one, so without DHCP. */
export const VARIANTS = {
  'anybios with nginx': { name: 'anybios-nginx', http: 81, tftp: 169, images: 'nginx' },
  'anybios dgram': { name: 'anybios-dgram', http: 83, tftp: 269, transport: 'dgram' },
} as const satisfies Record<string, AnybiosVariant>;

export function anybios(folder: BenchFolder, { name, http, tftp, images, transport }: AnybiosVariant): string {
  const dhcp = name === USUAL.name ? 'full' : 'off';
  const subnets = NETWORKS.map(
    (net) =>
      `    - { cidr: ${net}.0.0/16, pool: ${net}.0.10-${net}.255.250, router: ${net}.0.1, leaseTime: 1h, bootFiles: { 7: boot.efi } }\n`,
  );
  return `dataDir: ${join(folder.path, name)}
listen: { interfaces: [${SERVER_LINK}], address: ${SERVER_ADDRESS}, http: ${http}, tftp: ${tftp}${images === undefined ? '' : `, images: ${images}`} }
${transport === undefined ? '' : `tftp: { transport: ${transport} }\n`}files: ${folder.www}
unknownMachines: role:bench
dhcp:
  mode: ${dhcp}
  subnets:
${subnets.join('')}`;
}

/** The role, the machines with these MACs, and so many others. */
export function benchSite(machines: number, macs: readonly string[]): string {
  const hex = (byte: number): string => (byte & 255).toString(16).padStart(2, '0');
  const more = Array.from(
    { length: machines },
    (_, n) => `  - { name: m${n}, macs: ["52:54:70:${hex(n >> 16)}:${hex(n >> 8)}:${hex(n)}"], role: bench }\n`,
  );
  const machinesOfLoad = macs.map((mac, n) => `  - { name: l${n}, macs: ["${mac}"], role: bench }\n`);
  return `roles:
  - { name: bench, profile: bench, mode: resident }
machines:
  - { name: first, macs: ["52:54:00:00:00:01"], role: bench }
${more.join('')}${machinesOfLoad.join('')}`;
}

export const BENCH_PROFILE = `description: the files of the measurements
kind: boot
kernel: bench-kernel
rootfs: bench-rootfs
args: [console=ttyS0]
templates: { ipxe: boot.ipxe.hbs, grub: boot.grub.hbs }
supports: { modes: [resident], kinds: [chroot], storage: [ram], limits: [] }
failure: { policy: reboot, delaySeconds: 30 }
`;

export const BENCH_SCRIPT = `#!ipxe
initrd {{initrd.url}}
kernel {{kernel.url}} initrd={{initrd.file}} {{args}}
boot
`;

/** TFTP alone, beside others. */
export function dnsmasqTftp(folder: BenchFolder): string {
  return `port=0
no-daemon
listen-address=${PEER_ADDRESSES.dnsmasq}
bind-interfaces
user=root
log-facility=${join(folder.path, 'dnsmasq-tftp.messages')}
quiet-tftp
enable-tftp
tftp-root=${folder.www}
tftp-max=5000
`;
}

export function dnsmasq(folder: BenchFolder): string {
  const ranges = NETWORKS.map((net) => `dhcp-range=${net}.0.10,${net}.255.250,255.255.0.0,1h\n`);
  return `port=0
no-daemon
interface=${SERVER_LINK}
bind-interfaces
user=root
log-facility=${join(folder.path, 'dnsmasq.messages')}
quiet-dhcp
quiet-tftp
# The clients' side answers pings for every address.
no-ping
dhcp-authoritative
# Without it new machines are given addresses by a hash that collides under load, and it answers with NAKs.
dhcp-sequential-ip
dhcp-leasefile=${join(folder.path, 'dnsmasq.leases')}
dhcp-lease-max=200000
${ranges.join('')}dhcp-match=set:ipxe,175
dhcp-boot=tag:ipxe,${SCRIPT_URL},,${SERVER_ADDRESS}
dhcp-boot=tag:!ipxe,boot.efi,,${SERVER_ADDRESS}
enable-tftp
tftp-root=${folder.www}
tftp-max=5000
`;
}

/** `threads` 0 = one thread does all, without Kea's queues. */
export function kea(folder: BenchFolder, threads: number): string {
  const boot = (name: string, test: string, file: string) => ({
    name,
    test,
    'boot-file-name': file,
    'next-server': SERVER_ADDRESS,
  });
  return JSON.stringify({
    Dhcp4: {
      'interfaces-config': { interfaces: [SERVER_LINK], 'dhcp-socket-type': 'udp' },
      'lease-database': { type: 'memfile', persist: true, name: join(folder.path, 'kea.leases') },
      'multi-threading':
        threads === 0
          ? { 'enable-multi-threading': false }
          : { 'enable-multi-threading': true, 'thread-pool-size': threads, 'packet-queue-size': 256 },
      'valid-lifetime': 3600,
      'client-classes': [
        boot('ipxe', 'option[175].exists', SCRIPT_URL),
        boot('rom', 'option[93].exists and not option[175].exists', 'boot.efi'),
      ],
      subnet4: NETWORKS.map((net, index) => ({
        id: index + 1,
        subnet: `${net}.0.0/16`,
        pools: [{ pool: `${net}.0.10-${net}.255.250` }],
        'option-data': [{ name: 'routers', data: `${net}.0.1` }],
      })),
      loggers: [
        {
          name: 'kea-dhcp4',
          severity: 'ERROR',
          output_options: [{ output: join(folder.path, 'kea.messages') }],
        },
      ],
    },
  });
}

/** The script is a constant here: nginx has no machines. */
export function nginx(folder: BenchFolder, port: number): string {
  const base = `http://${SERVER_ADDRESS}:${port}`;
  const script = `#!ipxe\\nkernel ${base}/kernel initrd=initrd\\ninitrd ${base}/initrd\\nboot\\n`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(folder.path, `nginx-${kind}`)};\n`,
  );
  return `daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile 65536;
pid ${join(folder.path, `nginx-${port}.pid`)};
error_log ${join(folder.path, 'nginx.errors')};
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
${temporary.join('')}  server {
    listen ${port} backlog=8192 reuseport;
    root ${folder.www};
    location = /s.ipxe { default_type text/plain; return 200 "${script}"; }
  }
}
`;
}
