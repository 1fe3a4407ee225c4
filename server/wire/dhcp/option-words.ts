import { type DhcpOptionWords, isWordList, type OptionWord } from '../../domain/dhcp-options.js';
import { AnybiosError, invalid } from '../../domain/errors.js';
import { parseCidr, parseIpv4 } from '../../domain/ipv4.js';
import { WireError } from '../wire-error.js';
import { type KindValues, type OptionKind, writeKind } from './option-kinds.js';
import { optionCode, optionField, optionRow, optionWords } from './option-table.js';
import type { Route } from './routes.js';
import type { SubOptions } from './sub-options.js';

/** Why an option cannot be set by hand; every other one can. */
const OWNED: Readonly<Record<number, string>> = {
  0: 'is padding',
  1: 'follows from the cidr of the subnet',
  50: 'is what a client asks for',
  51: 'is leaseTime',
  52: 'is set where the options need the room',
  53: 'is the kind of the message',
  54: 'is the address of this server',
  55: 'is what a client asks for',
  56: 'is the reason of a refusal',
  57: 'is what a client can take',
  58: 'follows from leaseTime',
  59: 'follows from leaseTime',
  61: 'is what the client calls itself',
  77: 'is what a client says of itself',
  82: 'belongs to the relay',
  93: 'is what a client says of itself',
  94: 'is what a client says of itself',
  97: 'is what a client says of itself',
  118: 'belongs to the relay',
  255: 'is the end of the options',
};

/** The number of an option that may be set. Throws `invalid`; `words` for a suggestion are those of optionWords(). */
export function settableOption(key: string): number {
  const code = optionCode(key);
  if (code === undefined) {
    throw invalid(`there is no DHCP option ${JSON.stringify(key.slice(0, 40))}`, {
      remedy: `a number 1-254, or one of: ${[...optionWords()].filter((word) => OWNED[optionCode(word) ?? 0] === undefined).join(', ')}`,
    });
  }
  const reason = OWNED[code];
  if (reason !== undefined) throw invalid(`${optionField(code)} ${reason}`, { remedy: 'any other option' });
  return code;
}

/** The bytes of one option. `key` is its number or word. Throws `invalid` saying which forms fit. */
export function optionBytes(key: string, word: OptionWord): Uint8Array {
  const code = settableOption(key);
  const field = optionField(code);
  if (typeof word === 'string' && word.startsWith('hex:')) return hexBytes(word, field);
  const kind = optionRow(code)?.kind;
  try {
    return kind === undefined ? untyped(word, field) : typed(kind, word, field);
  } catch (error) {
    if (error instanceof WireError) throw invalid(error.message);
    throw error;
  }
}

/** The forms that fit, as text after "allowed:". */
const FORMS: Readonly<Record<OptionKind, string>> = {
  u8: 'a number 0-255',
  u16: 'a number 0-65535',
  u32: 'a number 0-4294967295',
  i32: 'a number of seconds, may be negative',
  bool: 'true | false',
  u8s: 'a list of numbers 0-255',
  u16s: 'a list of numbers 0-65535',
  ipv4: 'an IPv4 address',
  ipv4s: 'a list of IPv4 addresses, e.g. [10.77.0.1]',
  text: 'one line of text',
  routes: 'a list of routes, e.g. ["10.20.0.0/16 via 10.77.0.254"]',
  domains: 'a list of DNS domains, e.g. [lab.example.org]',
  bytes: 'bytes, e.g. "hex:0a0b"',
  messageType: 'nothing',
  subOptions: 'bytes, e.g. "hex:0a0b", or sub-options, e.g. {"1": "hex:0a0b", "2": "text"}',
  closedSubOptions: 'bytes, e.g. "hex:0a0b", or sub-options, e.g. {"1": "hex:0a0b", "2": "text"}',
};
const UNTYPED =
  '"text", "hex:0a0b", "ip:10.77.0.1", "ip:10.77.0.1,10.77.0.2", "u8:1", "u16:1500", "u32:86400", true or false';

function typed(kind: OptionKind, word: OptionWord, field: string): Uint8Array {
  const misfit = (): never => {
    throw invalid(`${field} is not written like this`, { remedy: FORMS[kind] });
  };
  const write = <K extends OptionKind>(as: K, value: KindValues[K]): Uint8Array => writeKind(as, value, field);
  const list: readonly unknown[] = isWordList(word) ? word : [word];
  switch (kind) {
    case 'u8':
    case 'u16':
    case 'u32':
    case 'i32':
      return typeof word === 'number' ? write(kind, word) : misfit();
    case 'u8s':
    case 'u16s':
      return write(
        kind,
        list.map((item: unknown) => (typeof item === 'number' ? item : misfit())),
      );
    case 'bool':
      return typeof word === 'boolean' ? write(kind, word) : misfit();
    case 'ipv4':
      return typeof word === 'string' ? write(kind, parseIpv4(word)) : misfit();
    case 'ipv4s':
      if (list.length === 0) return misfit();
      return write(
        kind,
        list.map((item: unknown) => (typeof item === 'string' ? parseIpv4(item) : misfit())),
      );
    case 'text':
      return typeof word === 'string' && isLine(word) ? write(kind, word) : misfit();
    case 'routes':
      return write(
        kind,
        list.map((item: unknown) => (typeof item === 'string' ? parseRoute(item) : misfit())),
      );
    case 'domains':
      return write(
        kind,
        list.map((item: unknown) => (typeof item === 'string' ? item : misfit())),
      );
    case 'subOptions':
    case 'closedSubOptions':
      return typeof word === 'object' && !isWordList(word) ? write(kind, subOptions(word, field)) : misfit();
    case 'bytes':
    case 'messageType':
      return misfit();
  }
}

function subOptions(words: Readonly<Record<string, OptionWord>>, field: string): SubOptions {
  const found = new Map<number, Uint8Array>();
  for (const [key, word] of Object.entries(words)) {
    const code = /^\d{1,3}$/.test(key) ? Number(key) : 0;
    if (code < 1 || code > 254) {
      throw invalid(`${JSON.stringify(key)} is not a sub-option of ${field}`, { remedy: 'a number 1-254' });
    }
    found.set(code, untyped(word, `${field}, sub-option ${code}`));
  }
  return found;
}

/** An option that the table does not know: the kind is written with the value. */
function untyped(word: OptionWord, field: string): Uint8Array {
  if (typeof word === 'boolean') return writeKind('bool', word, field);
  if (typeof word !== 'string' || word === '' || !isLine(word)) {
    throw invalid(`${field} has no kind of its own, so its value must tell it`, { remedy: UNTYPED });
  }
  const [, prefix, rest = ''] = /^(hex|ip|u8|u16|u32):(.*)$/.exec(word) ?? [];
  switch (prefix) {
    case 'hex':
      return hexBytes(word, field);
    case 'ip':
      return writeKind(
        'ipv4s',
        rest.split(',').map((part) => parseIpv4(part)),
        field,
      );
    case 'u8':
    case 'u16':
    case 'u32':
      if (!/^\d{1,10}$/.test(rest)) throw invalid(`"${word}" holds no number`, { remedy: FORMS[prefix] });
      return writeKind(prefix, Number(rest), field);
    default:
      return writeKind('text', word, field);
  }
}

/** `hex:0a0b`, `hex:0a:0b`. */
function hexBytes(word: string, field: string): Uint8Array {
  const digits = word.slice('hex:'.length);
  if (!/^([0-9a-f]{2}(:?[0-9a-f]{2})*)?$/i.test(digits)) {
    throw invalid(`${field}: ${JSON.stringify(word.slice(0, 40))} is not in hex`, {
      remedy: 'pairs of hex digits, e.g. "hex:0a0b"',
    });
  }
  return Uint8Array.from(digits.match(/[0-9a-f]{2}/gi) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Reads `10.20.0.0/16 via 10.77.0.254` and `default via 10.77.0.1`. Throws `invalid`. */
export function parseRoute(text: string): Route {
  const match = /^(\S+) via (\S+)$/.exec(text.trim());
  if (match === null) {
    throw invalid(`"${text.slice(0, 80)}" is not a route`, {
      remedy: 'NETWORK/PREFIX via ROUTER, e.g. 10.20.0.0/16 via 10.77.0.254',
    });
  }
  const [, to = '', via = ''] = match;
  return { to: parseCidr(to === 'default' ? '0.0.0.0/0' : to), via: parseIpv4(via) };
}

/** RFC 2132 texts are NVT ASCII without control characters; more than 1 KB fits into no message. */
function isLine(text: string): boolean {
  return text.length > 0 && text.length <= 1024 && !/[\p{Cc}]/u.test(text);
}

/** One key of a set of options that cannot be used. */
export interface OptionFault {
  readonly key: string;
  readonly message: string;
  readonly allowed?: string | undefined;
}

/** Everything wrong with a set of options: unknown names, values that do not fit, one option under two names. */
export function optionFaults(words: Readonly<Record<string, OptionWord>>): readonly OptionFault[] {
  const seen = new Map<number, string>();
  const faults: OptionFault[] = [];
  for (const [key, word] of Object.entries(words)) {
    try {
      optionBytes(key, word);
      const code = settableOption(key);
      const other = seen.get(code);
      seen.set(code, key);
      if (other !== undefined) faults.push({ key, message: `is ${optionField(code)}, which ${other} sets already` });
    } catch (error) {
      if (!(error instanceof AnybiosError)) throw error;
      faults.push({ key, message: error.message, allowed: error.remedy });
    }
  }
  return faults;
}

/** Code -> bytes. Compiled once for each set; sets are frozen values. */
export function compiledOptions(words: DhcpOptionWords): ReadonlyMap<number, Uint8Array> {
  let compiled = COMPILED.get(words);
  if (compiled === undefined) {
    compiled = new Map(Object.entries(words).map(([key, word]) => [settableOption(key), optionBytes(key, word)]));
    COMPILED.set(words, compiled);
  }
  return compiled;
}

const COMPILED = new WeakMap<DhcpOptionWords, ReadonlyMap<number, Uint8Array>>();
