import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/*
 * QEMU's BIOS network ROM is iPXE and says so in its DHCP packets, so that no server hands it undionly.kpxe. This filter sits
 * between the virtual network card and its tap (QEMU's filter-redirector) and takes the marks out of the ROM's packets, until
 * the machine asks for undionly.kpxe over TFTP: what speaks from then on is that undionly, marks and all.
 */

const USER_CLASS = 77;
const IPXE_ENCAPSULATED = 175;
const PAD = 0;
const END = 255;

/** Arguments for QEMU, and the two sockets that `startMarkFilter` connects to. QEMU waits for both before the power is on. */
export function markFilterArguments(folder: string): readonly string[] {
  const { out, back } = socketsIn(folder);
  return [
    ...['-chardev', `socket,id=filter-out,path=${out},server=on,wait=on`],
    ...['-chardev', `socket,id=filter-back,path=${back},server=on,wait=on`],
    // queue=rx: what the tap receives from the card, that is, what the machine sends. In that direction the filter defined
    // last comes first: the other order sends every frame round for ever.
    ...['-object', 'filter-redirector,id=redirect-back,netdev=net0,queue=rx,indev=filter-back'],
    ...['-object', 'filter-redirector,id=redirect-out,netdev=net0,queue=rx,outdev=filter-out'],
  ];
}

export interface MarkFilter {
  /** How many packets lost their marks. */
  readonly stripped: () => number;
  close(): void;
}

export async function startMarkFilter(folder: string, signal: AbortSignal): Promise<MarkFilter> {
  const { out, back } = socketsIn(folder);
  const from = await connectTo(out, signal);
  const to = await connectTo(back, signal);
  // QEMU ends without closing its sockets when the power is taken away: the filter ends with it.
  for (const socket of [from, to]) socket.on('error', () => socket.destroy());
  let stripped = 0;
  let undionly = false;
  let rest = Buffer.alloc(0);
  from.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    // Each frame comes behind its length, 4 bytes, most significant first.
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
      const length = rest.readUInt32BE();
      const frame = rest.subarray(4, 4 + length);
      rest = rest.subarray(4 + length);
      undionly ||= asksFor(frame, 'undionly.kpxe');
      const edited = undionly ? undefined : withoutMarks(frame);
      if (edited !== undefined) stripped += 1;
      const size = Buffer.alloc(4);
      size.writeUInt32BE(length);
      to.write(size);
      to.write(edited ?? frame);
    }
  });
  return {
    stripped: () => stripped,
    close: () => {
      from.destroy();
      to.destroy();
    },
  };
}

const socketsIn = (folder: string): { readonly out: string; readonly back: string } => ({
  out: `${folder}/filter-out.sock`,
  back: `${folder}/filter-back.sock`,
});

async function connectTo(path: string, signal: AbortSignal): Promise<net.Socket> {
  while (!existsSync(path)) await delay(20, undefined, { signal });
  const socket = net.connect(path);
  await once(socket, 'connect', { signal });
  return socket;
}

/** Where the UDP payload of an IPv4 frame to this port starts; undefined for every other frame. */
function udpPayload(frame: Buffer, port: number): number | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 17) return undefined;
  const udp = 14 + ((frame[14] ?? 0) & 15) * 4;
  return frame.length >= udp + 8 && frame.readUInt16BE(udp + 2) === port ? udp + 8 : undefined;
}

/** True for a TFTP read request (RFC 1350, opcode 1) whose name ends so. */
export function asksFor(frame: Buffer, file: string): boolean {
  const start = udpPayload(frame, 69);
  if (start === undefined || frame.length < start + 3 || frame.readUInt16BE(start) !== 1) return false;
  return frame.toString('latin1', start + 2, frame.indexOf(0, start + 2)).endsWith(file);
}

/** The DHCP packet of a client without options 77 and 175, of the same length; undefined when it has neither. */
export function withoutMarks(frame: Buffer): Buffer | undefined {
  const start = udpPayload(frame, 67);
  // Fixed part 236 bytes, magic cookie 4 (RFC 2131, section 3).
  if (start === undefined || frame.length < start + 241) return undefined;
  const kept: Buffer[] = [];
  let found = false;
  let at = start + 240;
  while (at < frame.length && frame[at] !== END) {
    const code = frame[at];
    const next = code === PAD ? at + 1 : at + 2 + (frame[at + 1] ?? 0);
    if (code === USER_CLASS || code === IPXE_ENCAPSULATED) found = true;
    else kept.push(frame.subarray(at, next));
    at = next;
  }
  if (!found) return undefined;
  // What was taken out comes back as padding behind the end: no length changes, in UDP or IP.
  const edited = Buffer.alloc(frame.length, PAD);
  frame.copy(edited, 0, 0, start + 240);
  const options = Buffer.concat([...kept, Buffer.of(END)]);
  options.copy(edited, start + 240);
  // A UDP checksum of 0 means none (RFC 768).
  edited.writeUInt16BE(0, start - 2);
  return edited;
}
