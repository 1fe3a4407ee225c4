import { join } from 'node:path';
import type { BenchFolder } from './bench-folder.js';
import { RELAYS, SERVER_ADDRESS, SERVER_LINK } from './bench-wire.js';

// How each server is told the same: two /16 behind relays, leases of an hour that are on the disk, PXE ROMs get boot.efi by TFTP,
// iPXE gets the URL of its script, the files lie at the root of HTTP and TFTP.

const NETWORKS = RELAYS.map((relay) => relay.replace(/\.0\.1$/, ''));
const SCRIPT_URL = `http://${SERVER_ADDRESS}/s.ipxe`;

export function anybios(folder: BenchFolder): string {
  const subnets = NETWORKS.map(
    (net) =>
      `    - { cidr: ${net}.0.0/16, pool: ${net}.0.10-${net}.255.250, router: ${net}.0.1, leaseTime: 1h, bootFiles: { 7: boot.efi } }\n`,
  );
  return `dataDir: ${join(folder.path, 'data')}
listen: { interfaces: [${SERVER_LINK}], address: ${SERVER_ADDRESS}, http: 80, tftp: 69 }
files: ${folder.www}
unknownMachines: role:bench
dhcp:
  mode: full
  subnets:
${subnets.join('')}`;
}

export const BENCH_SITE = `roles:
  - { name: bench, profile: bench, mode: resident }
machines:
  - { name: first, macs: ["52:54:00:00:00:01"], role: bench }
`;

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
kernel {{kernel.url}} initrd={{initrd.file}} {{args}}
initrd {{initrd.url}}
boot
`;

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
export function nginx(folder: BenchFolder): string {
  const script = `#!ipxe\\nkernel http://${SERVER_ADDRESS}/kernel initrd=initrd\\ninitrd http://${SERVER_ADDRESS}/initrd\\nboot\\n`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(folder.path, `nginx-${kind}`)};\n`,
  );
  return `daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile 65536;
pid ${join(folder.path, 'nginx.pid')};
error_log ${join(folder.path, 'nginx.errors')};
events { worker_connections 16384; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000;
${temporary.join('')}  server {
    listen 80 backlog=8192 reuseport;
    root ${folder.www};
    location = /s.ipxe { default_type text/plain; return 200 "${script}"; }
  }
}
`;
}
