import type { ControlDoor } from '../domain/control-door.js';
import { formatIpv4 } from '../domain/ipv4.js';

/** In place of the address, so that known_hosts holds one line whatever the machine's address is. */
export const HOST_ALIAS = 'anybios-machine';

export interface SshTarget {
  readonly door: Pick<ControlDoor, 'address' | 'port' | 'hostKey'>;
  /** The server's private key. */
  readonly keyPath: string;
  /** A file of this connection alone with the door's host key. */
  readonly knownHostsPath: string;
}

/** The line of known_hosts for this door. */
export const knownHostsLine = ({ hostKey }: Pick<ControlDoor, 'hostKey'>): string => `${HOST_ALIAS} ${hostKey}\n`;

/**
 * Arguments of OpenSSH's client for one word of the protocol. Nothing of the user's or the system's configuration counts, no agent,
 * no password, no forwarding, one host key. `words` are ours; OpenSSH joins them with blanks.
 */
export function sshArguments(
  target: SshTarget,
  words: readonly string[],
  options: { readonly tty?: boolean } = {},
): string[] {
  const { door, keyPath, knownHostsPath } = target;
  const set: Readonly<Record<string, string>> = {
    BatchMode: 'yes',
    IdentityFile: quoted(keyPath),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    HostKeyAlias: HOST_ALIAS,
    HostKeyAlgorithms: 'ssh-ed25519',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: quoted(knownHostsPath),
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    VerifyHostKeyDNS: 'no',
    ConnectTimeout: '10',
    ConnectionAttempts: '1',
    // A machine that is cut off is noticed in half a minute.
    ServerAliveInterval: '10',
    ServerAliveCountMax: '3',
    // At this level it says "Authenticated to …": before that line nothing of a request has reached the machine.
    LogLevel: 'VERBOSE',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    ControlMaster: 'no',
    ControlPath: 'none',
    EscapeChar: 'none',
    Compression: 'no',
  };
  return [
    // First: no file is read.
    ...['-F', 'none'],
    options.tty === true ? '-tt' : '-T',
    ...Object.entries(set).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ...['-p', String(door.port), '-l', 'root', '--', formatIpv4(door.address), ...words],
  ];
}

/** A path as ssh_config reads it: `%` begins a token, blanks and quotes end a word. */
function quoted(path: string): string {
  return `"${path.replaceAll('%', '%%').replace(/["\\]/g, '\\$&')}"`;
}
