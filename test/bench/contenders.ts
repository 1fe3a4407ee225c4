import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { BenchFolder } from './bench-folder.js';
import { type BenchWire, PEER_ADDRESSES, RELAYS, SERVER_ADDRESS, SERVER_LINK } from './bench-wire.js';
import { MeasuredServer } from './measured-server.js';
import * as peer from './peer-configs.js';

const run = promisify(execFile);
const ANYBIOS = resolve('dist/cli/anybios.js');
/** As `npm start` runs it. */
const START_OPTIONS = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--initial-old-space-size=256'];
/** nginx where it runs beside anybios, which has port 80. */
const NGINX_BESIDE = 82;

/** Something that is measured: one or several servers that together do the work. */
export interface Contender {
  readonly name: string;
  readonly tftp: { readonly address: string; readonly port: number };
  /** What is fetched is under these URLs. */
  readonly urls: { readonly script: string; readonly kernel: string; readonly initrd: string; readonly rootfs: string };
  /** `macs`: of machines that anybios is to know by name; its peers know none. */
  start(macs?: readonly string[]): Promise<readonly MeasuredServer[]>;
}

export interface Contenders {
  /** Each alone on the usual ports, for what needs DHCP. */
  readonly alone: ReadonlyMap<string, Contender>;
  /** All of them can run at once. */
  readonly beside: ReadonlyMap<string, Contender>;
}

export interface AnybiosOptions {
  /** Registered machines. */
  readonly machines: number;
  /** Options of Node. */
  readonly node: readonly string[];
}

/** What each line of the table starts, on this wire. */
export function contenders(wire: BenchWire, folder: BenchFolder, { machines, node }: AnybiosOptions): Contenders {
  const log = (name: string): string => join(folder.path, `${name}.log`);
  const site = { address: SERVER_ADDRESS, port: 69 };
  const plain = (port: number): Contender['urls'] => {
    const named = (name: string): string => `http://${SERVER_ADDRESS}:${port}/${name}`;
    return { script: named('s.ipxe'), kernel: named('kernel'), initrd: named('initrd'), rootfs: named('rootfs') };
  };
  const start = async (name: string, command: readonly string[], answers: () => Promise<boolean>) => {
    const server = MeasuredServer.start(name, wire.server, command, log(name));
    try {
      await server.ready(answers);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  };
  const udpOpen = (address: string, port: number) => listening(wire, 'udp', `${address}:${port}`);
  const tcpOpen = (port: number) => listening(wire, 'tcp', `:${port}`);

  const dnsmasq = () => {
    folder.forget('dnsmasq.leases');
    return start('dnsmasq', ['dnsmasq', '-C', folder.file('dnsmasq.conf', peer.dnsmasq(folder))], () =>
      udpOpen('', 69),
    );
  };
  const nginx = (port: number) =>
    start('nginx', ['nginx', '-c', folder.file(`nginx-${port}.conf`, peer.nginx(folder, port))], () => tcpOpen(port));
  const kea = (threads: number) => {
    for (const name of ['kea.leases', 'kea.leases.1', 'kea.leases.2', 'kea.leases.completed']) folder.forget(name);
    return start('kea', ['kea-dhcp4', '-c', folder.file('kea.json', peer.kea(folder, threads))], () => udpOpen('', 67));
  };
  const unpacked = (name: keyof typeof PEER_ADDRESSES, program: string, options: readonly string[]): Contender => {
    const address = PEER_ADDRESSES[name];
    return {
      name,
      tftp: { address, port: 69 },
      urls: plain(80),
      start: async () => {
        const path = folder.unpacked(name, program);
        if (path === undefined) throw new Error(`the Debian package ${name} cannot be downloaded`);
        return [await start(name, [path, ...options, folder.www], () => udpOpen(address, 69))];
      },
    };
  };
  const own = (name: string, variant: peer.AnybiosVariant): Contender => {
    const base = `http://${SERVER_ADDRESS}:${variant.http}`;
    const image = (file: 'kernel' | 'initrd' | 'rootfs'): string => `${base}/images/sha256/${folder.digest(file)}`;
    const urls = { kernel: image('kernel'), initrd: image('initrd'), rootfs: image('rootfs') };
    return {
      name,
      tftp: { address: SERVER_ADDRESS, port: variant.tftp },
      urls: { script: `${base}/boot/ipxe/52-54-00-00-00-01`, ...urls },
      start: async (macs = []) => [await startAnybios(variant, macs)],
    };
  };

  const alone: readonly Contender[] = [
    own('anybios', peer.USUAL),
    { name: 'dnsmasq', tftp: site, urls: plain(80), start: async () => [await dnsmasq()] },
    { name: 'kea', tftp: site, urls: plain(80), start: async () => [await kea(2)] },
    { name: 'kea-single', tftp: site, urls: plain(80), start: async () => [await kea(0)] },
    { name: 'dnsmasq+nginx', tftp: site, urls: plain(80), start: async () => [await dnsmasq(), await nginx(80)] },
  ];
  const atftpd = ['--daemon', '--no-fork', '--user', 'root', '--group', 'root', '--maxthread', '2000'];
  const beside: readonly Contender[] = [
    own('anybios', peer.USUAL),
    ...Object.entries(peer.VARIANTS).map(([name, variant]) => own(name, variant)),
    {
      name: 'dnsmasq',
      tftp: { address: PEER_ADDRESSES.dnsmasq, port: 69 },
      urls: plain(80),
      start: async () => {
        const config = folder.file('dnsmasq-tftp.conf', peer.dnsmasqTftp(folder));
        return [await start('dnsmasq', ['dnsmasq', '-C', config], () => udpOpen(PEER_ADDRESSES.dnsmasq, 69))];
      },
    },
    { name: 'nginx', tftp: site, urls: plain(NGINX_BESIDE), start: async () => [await nginx(NGINX_BESIDE)] },
    unpacked('tftpd-hpa', '/usr/sbin/in.tftpd', [
      ...['-L', '-4', '-s', '-u', 'root'],
      ...['-a', `${PEER_ADDRESSES['tftpd-hpa']}:69`],
    ]),
    unpacked('atftpd', '/usr/sbin/atftpd', [
      ...atftpd,
      ...['--bind-address', PEER_ADDRESSES.atftpd, '--port', '69', '--logfile', log('atftpd')],
    ]),
  ];
  const byName = (list: readonly Contender[]) => new Map(list.map((contender) => [contender.name, contender]));
  return { alone: byName(alone), beside: byName(beside) };

  /** Fresh data; every unknown machine gets the role of the bench, whose kernel and root file system are those of the peers. */
  async function startAnybios(variant: peer.AnybiosVariant, macs: readonly string[]): Promise<MeasuredServer> {
    folder.forget(variant.name);
    const config = folder.file(`${variant.name}.yaml`, peer.anybios(folder, variant));
    folder.file('profiles/bench/profile.yaml', peer.BENCH_PROFILE);
    folder.file('profiles/bench/boot.ipxe.hbs', peer.BENCH_SCRIPT);
    folder.file('profiles/bench/boot.grub.hbs', 'linux {{kernel.path}} {{args}}\ninitrd {{initrd.path}}\n');
    const command = [process.execPath, ...START_OPTIONS, ...node, ANYBIOS, 'serve', '--config', config];
    const server = await start(variant.name, command, () => tcpOpen(variant.http));
    const cli = async (...args: string[]): Promise<void> => {
      const command = ['netns', 'exec', wire.server, process.execPath, ANYBIOS, '--config', config, ...args];
      // A line for each machine that is made.
      await run('ip', command, { maxBuffer: 1 << 28 });
    };
    const file = (name: string): string => join(folder.www, name);
    const kernel = ['--kernel', file('kernel'), '--initrd', file('initrd'), '--modules', file('f1m')];
    await cli('image', 'import', 'bench-kernel:1', ...kernel);
    await cli('image', 'import', 'bench-rootfs:1', '--rootfs', file('rootfs'));
    await cli('apply', '-f', folder.file('site.yaml', peer.benchSite(machines, macs)));
    return server;
  }
}

/** Whether somebody listens there (`:port` = on any address) in the servers' namespace. */
async function listening(wire: BenchWire, protocol: 'udp' | 'tcp', where: string): Promise<boolean> {
  const filter = ['-H', protocol === 'udp' ? '-uln' : '-tln', 'src', where];
  const { stdout } = await run('ip', ['netns', 'exec', wire.server, 'ss', ...filter]);
  return stdout.trim() !== '';
}

export { RELAYS, SERVER_ADDRESS, SERVER_LINK };
