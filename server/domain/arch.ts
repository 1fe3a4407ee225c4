/**
 * A processor architecture and firmware as DHCP option 93 numbers it (IANA registry "Processor Architecture Types", RFC 5970).
 * `loaders` is the family of boot loaders we hand out; absent = none is shipped for it.
 */
export interface Arch {
  readonly code: number;
  readonly name: string;
  readonly firmware: 'bios' | 'uefi' | 'other';
  /** Fetches its first file by HTTP from a URL in the offer instead of by TFTP. */
  readonly http: boolean;
  readonly loaders?: 'bios' | 'x64';
}

type Row = readonly [
  code: number,
  name: string,
  firmware: Arch['firmware'],
  http?: 'http' | undefined,
  loaders?: NonNullable<Arch['loaders']>,
];

const ROWS: readonly Row[] = [
  [0, 'x86 BIOS', 'bios', undefined, 'bios'],
  [1, 'NEC/PC98', 'bios'],
  [2, 'Itanium', 'uefi'],
  [3, 'DEC Alpha', 'other'],
  [4, 'Arc x86', 'other'],
  [5, 'Intel Lean Client', 'other'],
  [6, 'x86 UEFI', 'uefi'],
  [7, 'x64 UEFI', 'uefi', undefined, 'x64'],
  [8, 'EFI Xscale', 'uefi'],
  // The registry says "EBC"; RFC 4578's erratum swapped 7 and 9, so x64 firmware sends either.
  [9, 'x64 UEFI (as 9)', 'uefi', undefined, 'x64'],
  [10, 'ARM 32-bit UEFI', 'uefi'],
  [11, 'ARM 64-bit UEFI', 'uefi'],
  [12, 'PowerPC Open Firmware', 'other'],
  [13, 'PowerPC ePAPR', 'other'],
  [14, 'POWER OPAL v3', 'other'],
  [15, 'x86 UEFI HTTP', 'uefi', 'http'],
  [16, 'x64 UEFI HTTP', 'uefi', 'http', 'x64'],
  [17, 'EBC HTTP', 'uefi', 'http', 'x64'],
  [18, 'ARM 32-bit UEFI HTTP', 'uefi', 'http'],
  [19, 'ARM 64-bit UEFI HTTP', 'uefi', 'http'],
  [20, 'PC/AT BIOS HTTP', 'bios', 'http'],
  [21, 'ARM 32-bit U-Boot', 'other'],
  [22, 'ARM 64-bit U-Boot', 'other'],
  [23, 'ARM 32-bit U-Boot HTTP', 'other', 'http'],
  [24, 'ARM 64-bit U-Boot HTTP', 'other', 'http'],
  [25, 'RISC-V 32-bit UEFI', 'uefi'],
  [26, 'RISC-V 32-bit UEFI HTTP', 'uefi', 'http'],
  [27, 'RISC-V 64-bit UEFI', 'uefi'],
  [28, 'RISC-V 64-bit UEFI HTTP', 'uefi', 'http'],
  [29, 'RISC-V 128-bit UEFI', 'uefi'],
  [30, 'RISC-V 128-bit UEFI HTTP', 'uefi', 'http'],
  [31, 's390 basic', 'other'],
  [32, 's390 extended', 'other'],
  [33, 'MIPS 32-bit UEFI', 'uefi'],
  [34, 'MIPS 64-bit UEFI', 'uefi'],
  [35, 'Sunway 32-bit UEFI', 'uefi'],
  [36, 'Sunway 64-bit UEFI', 'uefi'],
  [37, 'LoongArch 32-bit UEFI', 'uefi'],
  [38, 'LoongArch 32-bit UEFI HTTP', 'uefi', 'http'],
  [39, 'LoongArch 64-bit UEFI', 'uefi'],
  [40, 'LoongArch 64-bit UEFI HTTP', 'uefi', 'http'],
  [41, 'Raspberry Pi', 'other'],
];

const BY_CODE: ReadonlyMap<number, Arch> = new Map(
  ROWS.map(([code, name, firmware, http, loaders]) => [
    code,
    { code, name, firmware, http: http === 'http', ...(loaders === undefined ? {} : { loaders }) },
  ]),
);

/** The word for an architecture in configuration: `x64-uefi`, `arm-64-bit-uefi-http`. */
function archWord({ name }: Arch): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/-$/, '');
}

const BY_WORD: ReadonlyMap<string, number> = new Map(
  Array.from(BY_CODE.values(), (arch) => [archWord(arch), arch.code]),
);

export const ARCH_WORDS: readonly string[] = [...BY_WORD.keys()];

/** The architecture that a key of `bootFiles` means: its number, its word, or `default`; undefined = none. */
export function archKey(key: string): number | 'default' | undefined {
  if (key === 'default') return key;
  if (/^\d{1,5}$/.test(key)) return Number(key) <= 65_535 ? Number(key) : undefined;
  return BY_WORD.get(key);
}

/** Undefined for a number that the registry did not know when this was written. */
export function archOf(code: number): Arch | undefined {
  return BY_CODE.get(code);
}

/** `x64 UEFI (arch 7)`, `unknown arch 99`: for reasons and events. */
export function describeArch(code: number): string {
  const arch = archOf(code);
  return arch === undefined ? `unknown arch ${code}` : `${arch.name} (arch ${code})`;
}
