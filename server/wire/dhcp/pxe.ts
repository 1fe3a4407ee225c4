import { hexGroups } from '../../domain/hex.js';
import { TextMemo } from '../../domain/text-memo.js';
import { WireError } from '../wire-error.js';
import type { SubOptions } from './sub-options.js';

/** PXE 2.1, table 2-1, tag 6: do not search boot servers, take the file named in this offer. */
const DISCOVERY_CONTROL = 6;
const USE_FILE_OF_OFFER = 8;

/** Option 43 for BIOS PXE ROMs: boot the file of this offer at once. */
export function pxeUseFileOfOffer(): SubOptions {
  return new Map([[DISCOVERY_CONTROL, Uint8Array.of(USE_FILE_OF_OFFER)]]);
}

/**
 * Option 43 for the boot ROM of a Raspberry Pi, which goes on only when it reads this menu: discovery control 3 (no search for
 * boot servers), a prompt that waits 0 s, and one entry for "boot server 0" named exactly so.
 */
export function raspberryPiMenu(): SubOptions {
  const encoder = new TextEncoder();
  const name = encoder.encode('Raspberry Pi Boot');
  return new Map([
    [DISCOVERY_CONTROL, Uint8Array.of(3)],
    [MENU_PROMPT, Uint8Array.of(0, ...encoder.encode('PXE'))],
    [BOOT_MENU, Uint8Array.of(0, 0, name.length, ...name)],
  ]);
}
const BOOT_MENU = 9;
const MENU_PROMPT = 10;

/** iPXE sub-option 176 of option 175: no second wait for a proxy DHCP server, this answer is all (saves 2 s a boot). */
const NO_PXEDHCP = 176;

export function ipxeNoPxeDhcp(): SubOptions {
  return new Map([[NO_PXEDHCP, Uint8Array.of(1)]]);
}

/** What an iPXE build can do, by the sub-options of option 175 (iPXE's `dhcp.h`: features that are compiled in). */
const IPXE_FEATURES: ReadonlyMap<number, string> = new Map([
  [16, 'pxe-extensions'],
  [17, 'iscsi'],
  [18, 'aoe'],
  [19, 'http'],
  [20, 'https'],
  [21, 'tftp'],
  [22, 'ftp'],
  [23, 'dns'],
  [24, 'bzimage'],
  [25, 'multiboot'],
  [26, 'slam'],
  [27, 'srp'],
  [32, 'nbi'],
  [33, 'pxe'],
  [34, 'elf'],
  [35, 'comboot'],
  [36, 'efi'],
  [37, 'fcoe'],
  [38, 'vlan'],
  [39, 'menu'],
  [40, 'sdi'],
  [41, 'nfs'],
]);
const IPXE_VERSION = 235;

/** What the iPXE that sent option 175 says of itself: its version (`1.0.0`) and its features, in the order of their numbers. */
export function ipxeFacts(sub: SubOptions): { readonly version?: string; readonly features: readonly string[] } {
  const features = [...IPXE_FEATURES].filter(([code]) => (sub.get(code)?.[0] ?? 0) !== 0).map(([, name]) => name);
  const version = sub.get(IPXE_VERSION);
  return { ...(version === undefined ? {} : { version: version.join('.') }), features };
}

/**
 * Option 97 (RFC 4578, section 2.3): a type byte 0, then the SMBIOS UUID as it lies in the table: the first three fields are
 * little-endian. Returned as dmidecode prints it, in lower case. Undefined for the all-0 and all-f values of boards that have none.
 */
export function uuidOfOption97(bytes: Uint8Array): string | undefined {
  if (bytes.length !== 17)
    throw new WireError('option 97 (client-uuid)', `is ${bytes.length} bytes long instead of 17`);
  return LAST_UUIDS.of(bytes);
}

const LAST_UUIDS = new TextMemo(256, uuidOf);

function uuidOf(bytes: Uint8Array): string | undefined {
  if (bytes[0] !== 0 || isAllOf(bytes, 0) || isAllOf(bytes, 0xff)) return undefined;
  return hexGroups(bytes, UUID_GROUPS);
}

/** Where each pair of digits stands in option 97. */
const UUID_GROUPS = [
  [4, 3, 2, 1],
  [6, 5],
  [8, 7],
  [9, 10],
  [11, 12, 13, 14, 15, 16],
];

/** Of what follows the type byte. */
function isAllOf(bytes: Uint8Array, value: number): boolean {
  for (let i = 1; i < bytes.length; i++) if (bytes[i] !== value) return false;
  return true;
}

/**
 * The user classes of option 77. RFC 3004 wants each behind its length; iPXE and others send the bare text. Taken for a list
 * only when the lengths add up exactly.
 */
export function userClasses(bytes: Uint8Array): readonly string[] {
  const decoder = new TextDecoder();
  const classes: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes[at] ?? 0;
    if (length === 0 || at + 1 + length > bytes.length) return [decoder.decode(bytes)];
    classes.push(decoder.decode(bytes.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return classes;
}
