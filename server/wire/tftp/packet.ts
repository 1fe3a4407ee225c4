import { Reader } from '../reader.js';
import { WireError } from '../wire-error.js';
import { Writer } from '../writer.js';

/** An option as it stands in the packet: names are compared without case (RFC 2347), values are decimal numbers as text. */
export interface TftpOption {
  readonly name: string;
  readonly value: string;
}

/** A file is asked for (rrq) or offered (wrq). */
export interface TftpRequest {
  readonly kind: 'rrq' | 'wrq';
  readonly name: string;
  /** `octet`, `netascii` or `mail`, in any case. */
  readonly mode: string;
  /** In the order of the packet. */
  readonly options: readonly TftpOption[];
}

export type TftpPacket =
  | TftpRequest
  | { readonly kind: 'data'; readonly block: number; readonly data: Uint8Array }
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'oack'; readonly options: readonly TftpOption[] };

/** RFC 1350, section 5; 8 is RFC 2347, section "Negotiation Protocol". */
export const TFTP_ERROR = {
  notDefined: 0,
  fileNotFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransferId: 5,
  fileExists: 6,
  noSuchUser: 7,
  optionRefused: 8,
} as const;
export type TftpErrorCode = (typeof TFTP_ERROR)[keyof typeof TFTP_ERROR];

export const DATA_HEADER_BYTES = 4;
export const OPCODE = { rrq: 1, wrq: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;
/** What fits into one UDP datagram over IPv4: 65,535 less 20 bytes of IP and 8 of UDP header. */
const LARGEST_DATAGRAM = 65_507;
/** RFC 2347 bounds a request to 512 bytes. Longer names are answered by the name space, with its own reason. */
const NAME_LIMIT = 2048;
const WORD_LIMIT = 255;
const OPTIONS_LIMIT = 32;

// A byte order mark stays part of the name, or the packet would not come out again as it went in.
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * ```
 *            2 bytes   string    1    string   1    string  1   string  1
 * RRQ, WRQ  | 1 or 2 | name    | 0 |  mode   | 0 | option | 0 | value | 0 | …   RFC 1350, RFC 2347
 * DATA      |   3    | block (2) | 0 to blksize bytes |
 * ACK       |   4    | block (2) |
 * ERROR     |   5    | code  (2) | message | 0 |
 * OACK      |   6    | option | 0 | value | 0 | …                               RFC 2347
 * ```
 * Throws WireError, and nothing else, when the bytes are broken. `data` is a view of the input.
 */
export function decodeTftp(bytes: Uint8Array): TftpPacket {
  const reader = new Reader(bytes);
  const opcode = reader.u16('opcode');
  switch (opcode) {
    case OPCODE.rrq:
    case OPCODE.wrq: {
      const name = text(reader, NAME_LIMIT, 'file name');
      const mode = text(reader, WORD_LIMIT, 'mode');
      return { kind: opcode === OPCODE.rrq ? 'rrq' : 'wrq', name, mode, options: decodeOptions(reader) };
    }
    case OPCODE.data:
      return { kind: 'data', block: reader.u16('block'), data: reader.rest() };
    case OPCODE.ack:
      // Some boot ROMs pad their ACKs; what follows the block number is not looked at.
      return { kind: 'ack', block: reader.u16('block') };
    case OPCODE.error: {
      const code = reader.u16('error code');
      // The NUL is missing in the ERROR of some clients; the code is what counts.
      const message = reader.rest();
      const end = message.indexOf(0);
      return { kind: 'error', code, message: lenient.decode(end < 0 ? message : message.subarray(0, end)) };
    }
    case OPCODE.oack:
      return { kind: 'oack', options: decodeOptions(reader) };
    default:
      throw new WireError('opcode', `${opcode} is not one of 1 to 6`);
  }
}

/** A new buffer. Throws WireError when a value does not fit its field. */
export function encodeTftp(packet: TftpPacket): Uint8Array {
  const writer = new Writer(LARGEST_DATAGRAM);
  writer.u16(OPCODE[packet.kind], 'opcode');
  switch (packet.kind) {
    case 'rrq':
    case 'wrq':
      writer.nulTerminated(encoder.encode(packet.name), 'file name');
      writer.nulTerminated(encoder.encode(packet.mode), 'mode');
      encodeOptions(writer, packet.options);
      break;
    case 'data':
      writer.u16(packet.block, 'block');
      writer.bytes(packet.data, 'data');
      break;
    case 'ack':
      writer.u16(packet.block, 'block');
      break;
    case 'error':
      writer.u16(packet.code, 'error code');
      writer.nulTerminated(encoder.encode(packet.message), 'message');
      break;
    case 'oack':
      encodeOptions(writer, packet.options);
      break;
  }
  return writer.finish();
}

/** The four bytes before a block, written into `into` at `at`; the block itself follows them in the same datagram. */
export function writeDataHeader(into: Uint8Array, at: number, block: number): void {
  into[at] = 0;
  into[at + 1] = OPCODE.data;
  into[at + 2] = block >>> 8;
  into[at + 3] = block;
}

function decodeOptions(reader: Reader): TftpOption[] {
  const options: TftpOption[] = [];
  while (reader.remaining > 0) {
    const name = text(reader, WORD_LIMIT, 'option name');
    // No option has an empty name: zeros after the last one are padding of a fixed-size request buffer.
    if (name === '') break;
    if (options.length === OPTIONS_LIMIT) throw new WireError('options', `more than ${OPTIONS_LIMIT} in one packet`);
    options.push({ name, value: text(reader, WORD_LIMIT, `option ${name}`) });
  }
  return options;
}

function encodeOptions(writer: Writer, options: readonly TftpOption[]): void {
  for (const { name, value } of options) {
    if (name === '') throw new WireError('option name', 'is empty');
    writer.nulTerminated(encoder.encode(name), 'option name');
    writer.nulTerminated(encoder.encode(value), `option ${name}`);
  }
}

function text(reader: Reader, limit: number, field: string): string {
  const raw = reader.untilNul(limit, field);
  try {
    return strict.decode(raw);
  } catch (error) {
    // TextDecoder's only complaint.
    if (error instanceof TypeError) throw new WireError(field, 'is not UTF-8 text');
    throw error;
  }
}
