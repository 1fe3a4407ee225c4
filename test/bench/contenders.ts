import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { BenchFolder } from './bench-folder.js';
import { type BenchWire, RELAYS, SERVER_ADDRESS, SERVER_LINK } from './bench-wire.js';
import { MeasuredServer } from './measured-server.js';
import * as peer from './peer-configs.js';

const run = promisify(execFile);
const ANYBIOS = resolve('dist/cli/anybios.js');

/** Something that is measured: one or several servers that together do the work. */
export interface Contender {
  readonly name: string;
  /** What is fetched is under these URLs. */
  readonly urls: { readonly script: string; readonly kernel: string; readonly initrd: string; readonly rootfs: string };
  start(): Promise<readonly MeasuredServer[]>;
}

/** What each line of the table starts, on this wire. `nodeOptions`: of Node, for anybios. */
export function contenders(
  wire: BenchWire,
  folder: BenchFolder,
  nodeOptions: readonly string[] = [],
): ReadonlyMap<string, Contender> {
  const log = (name: string): string => join(folder.path, `${name}.log`);
  const http = `http://${SERVER_ADDRESS}`;
  const named = (name: string): string => `${http}/${name}`;
  const plain = { script: named('s.ipxe'), kernel: named('kernel'), initrd: named('initrd'), rootfs: named('rootfs') };
  const image = (name: 'kernel' | 'initrd' | 'rootfs'): string => named(`images/sha256/${folder.digest(name)}`);
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
  const udpOpen = (port: number) => listening(wire, 'udp', port);
  const tcpOpen = (port: number) => listening(wire, 'tcp', port);

  const dnsmasq = () => {
    folder.forget('dnsmasq.leases');
    return start('dnsmasq', ['dnsmasq', '-C', folder.file('dnsmasq.conf', peer.dnsmasq(folder))], () => udpOpen(69));
  };
  const nginx = () => start('nginx', ['nginx', '-c', folder.file('nginx.conf', peer.nginx(folder))], () => tcpOpen(80));
  const kea = (threads: number) => {
    for (const name of ['kea.leases', 'kea.leases.1', 'kea.leases.2', 'kea.leases.completed']) folder.forget(name);
    return start('kea', ['kea-dhcp4', '-c', folder.file('kea.json', peer.kea(folder, threads))], () => udpOpen(67));
  };

  const all: Contender[] = [
    {
      name: 'anybios',
      urls: {
        script: `${http}/boot/ipxe/52-54-00-00-00-01`,
        kernel: image('kernel'),
        initrd: image('initrd'),
        rootfs: image('rootfs'),
      },
      start: async () => [await startAnybios()],
    },
    { name: 'dnsmasq', urls: plain, start: async () => [await dnsmasq()] },
    { name: 'kea', urls: plain, start: async () => [await kea(2)] },
    { name: 'kea-single', urls: plain, start: async () => [await kea(0)] },
    { name: 'nginx', urls: plain, start: async () => [await nginx()] },
    { name: 'dnsmasq+nginx', urls: plain, start: async () => [await dnsmasq(), await nginx()] },
    {
      name: 'tftpd-hpa',
      urls: plain,
      start: async () => {
        const program = folder.unpacked('tftpd-hpa', '/usr/sbin/in.tftpd');
        if (program === undefined) throw new Error('the Debian package tftpd-hpa cannot be downloaded');
        const options = ['-L', '-4', '-a', `${SERVER_ADDRESS}:69`, '-s', '-u', 'root', folder.www];
        return [await start('tftpd-hpa', [program, ...options], () => udpOpen(69))];
      },
    },
    {
      name: 'atftpd',
      urls: plain,
      start: async () => {
        const program = folder.unpacked('atftpd', '/usr/sbin/atftpd');
        if (program === undefined) throw new Error('the Debian package atftpd cannot be downloaded');
        const options = ['--daemon', '--no-fork', '--user', 'root', '--group', 'root', '--maxthread', '2000'];
        const where = ['--bind-address', SERVER_ADDRESS, '--port', '69', '--logfile', log('atftpd')];
        return [await start('atftpd', [program, ...options, ...where, folder.www], () => udpOpen(69))];
      },
    },
  ];
  return new Map(all.map((contender) => [contender.name, contender]));

  /** Fresh data; every unknown machine gets the role of the bench, whose kernel and root file system are those of the peers. */
  async function startAnybios(): Promise<MeasuredServer> {
    folder.forget('data');
    const config = folder.file('anybios.yaml', peer.anybios(folder));
    folder.file('profiles/bench/profile.yaml', peer.BENCH_PROFILE);
    folder.file('profiles/bench/boot.ipxe.hbs', peer.BENCH_SCRIPT);
    folder.file('profiles/bench/boot.grub.hbs', 'linux {{kernel.path}} {{args}}\ninitrd {{initrd.path}}\n');
    const command = [process.execPath, ...nodeOptions, ANYBIOS, 'serve', '--config', config];
    const server = await start('anybios', command, () => tcpOpen(80));
    const cli = async (...args: string[]): Promise<void> => {
      await run('ip', ['netns', 'exec', wire.server, process.execPath, ANYBIOS, '--config', config, ...args]);
    };
    const file = (name: string): string => join(folder.www, name);
    const kernel = ['--kernel', file('kernel'), '--initrd', file('initrd'), '--modules', file('f1m')];
    await cli('image', 'import', 'bench-kernel:1', ...kernel);
    await cli('image', 'import', 'bench-rootfs:1', '--rootfs', file('rootfs'));
    await cli('apply', '-f', folder.file('site.yaml', peer.BENCH_SITE));
    return server;
  }
}

/** Whether somebody listens on this port in the servers' namespace. */
async function listening(wire: BenchWire, protocol: 'udp' | 'tcp', port: number): Promise<boolean> {
  const filter = ['-H', protocol === 'udp' ? '-uln' : '-tln', 'sport', '=', `:${port}`];
  const { stdout } = await run('ip', ['netns', 'exec', wire.server, 'ss', ...filter]);
  return stdout.trim() !== '';
}

export { RELAYS, SERVER_ADDRESS, SERVER_LINK };
