import { invalid } from './errors.js';

const REMEDY = 'text of 1-255 printable ASCII characters, or bytes, e.g. hex:0152540000000a';

/**
 * A client id (DHCP option 61) or an id of a relay (option 82) as people write it: text, or `hex:0a0b` for bytes. The hex form
 * comes back in lower case without separators. Throws `invalid`.
 */
export function parseOpaqueId(text: string): string {
  if (text.startsWith('hex:')) {
    const digits = text.slice('hex:'.length).replaceAll(':', '').toLowerCase();
    if (/^([0-9a-f]{2}){1,255}$/.test(digits)) return `hex:${digits}`;
    throw invalid(`"${text.slice(0, 80)}" is not in hex`, { remedy: REMEDY });
  }
  // Such a text is almost always meant as bytes.
  if (/^[0-9a-f]{2}(:[0-9a-f]{2})+$/i.test(text)) {
    throw invalid(`"${text.slice(0, 80)}" could be text or bytes`, { remedy: `hex:${text}` });
  }
  if (/^[\x20-\x7e]{1,255}$/.test(text)) return text;
  throw invalid(`${JSON.stringify(text.slice(0, 80))} is not an id`, { remedy: REMEDY });
}

/** The bytes of a parsed id in hex: how ids from packets are compared with it. */
export function opaqueHex(id: string): string {
  if (id.startsWith('hex:')) return id.slice('hex:'.length);
  return Array.from(id, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}
