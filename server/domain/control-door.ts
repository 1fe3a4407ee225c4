import { invalid } from './errors.js';
import type { Ipv4 } from './ipv4.js';

/** Where the live OS of one boot takes jobs (docs/control.md): its SSH server as it registered it. */
export interface ControlDoor {
  /** The boot session whose credential registered it. */
  readonly session: string;
  /** Where the registration came from. */
  readonly address: Ipv4;
  readonly port: number;
  /** `ssh-ed25519 AAAA…`: the only host key that is accepted there. */
  readonly hostKey: string;
  /** Epoch ms. */
  readonly registeredAt: number;
}

/** Name, 11 bytes, and key, 32, each with its length (RFC 8709, section 4): the base64 always begins with these letters. */
const ED25519 = /^ssh-ed25519 (AAAAC3NzaC1lZDI1NTE5AAAAI[A-Za-z0-9+/]{43})(?: .*)?$/;

/** An ed25519 public key as OpenSSH writes it; the comment is dropped. Throws `invalid`: nothing else gets into known_hosts. */
export function parsePublicKey(text: string, field: string): string {
  const blob = ED25519.exec(text.trim())?.[1];
  if (blob !== undefined) return `ssh-ed25519 ${blob}`;
  throw invalid('this is not an ed25519 public key', { field, remedy: 'send one line: ssh-ed25519 AAAA…' });
}
