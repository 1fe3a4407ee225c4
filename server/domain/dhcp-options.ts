/** One value of a DHCP option as people write it; which form fits depends on the option (wire/dhcp/option-words.ts). */
export type OptionWord =
  | string
  | number
  | boolean
  | readonly (string | number)[]
  | { readonly [subOption: string]: string | number | boolean };

/** Array.isArray does not tell read-only lists from the rest. */
export function isWordList(word: OptionWord): word is readonly (string | number)[] {
  return Array.isArray(word);
}

/** Options by number or name, as written: `{ ntp: [10.77.0.1], "224": "hex:0a0b" }`. Valid ones only. */
export type DhcpOptionWords = Readonly<Record<string, OptionWord>>;

/** Boot files by architecture (its number or its word, domain/arch.ts) or `default`: a name of the site, or a URL. */
export type BootFiles = Readonly<Record<string, string>>;
