import type { KindValues, OptionKind } from './option-kinds.js';

interface OptionRow {
  readonly code: number;
  /** The word for it in dumps and configuration. */
  readonly word: string;
  readonly kind: OptionKind;
}

/**
 * Every option that has a name here. This one table drives reading, writing and printing: a new option is one row and one row
 * in test/wire/dhcp/option-table.test.ts. Options without a row survive as bytes.
 */
export const OPTIONS = {
  subnetMask: { code: 1, word: 'subnet-mask', kind: 'ipv4' },
  routers: { code: 3, word: 'routers', kind: 'ipv4s' },
  dnsServers: { code: 6, word: 'dns-servers', kind: 'ipv4s' },
  hostName: { code: 12, word: 'host-name', kind: 'text' },
  domainName: { code: 15, word: 'domain-name', kind: 'text' },
  interfaceMtu: { code: 26, word: 'interface-mtu', kind: 'u16' },
  broadcastAddress: { code: 28, word: 'broadcast-address', kind: 'ipv4' },
  ntpServers: { code: 42, word: 'ntp-servers', kind: 'ipv4s' },
  vendorOptions: { code: 43, word: 'vendor-options', kind: 'closedSubOptions' },
  requestedAddress: { code: 50, word: 'requested-address', kind: 'ipv4' },
  leaseTime: { code: 51, word: 'lease-time', kind: 'u32' },
  overload: { code: 52, word: 'overload', kind: 'u8' },
  messageType: { code: 53, word: 'message-type', kind: 'messageType' },
  serverId: { code: 54, word: 'server-id', kind: 'ipv4' },
  requestList: { code: 55, word: 'request-list', kind: 'u8s' },
  message: { code: 56, word: 'message', kind: 'text' },
  maxMessageSize: { code: 57, word: 'max-message-size', kind: 'u16' },
  renewalTime: { code: 58, word: 'renewal-time', kind: 'u32' },
  rebindingTime: { code: 59, word: 'rebinding-time', kind: 'u32' },
  vendorClass: { code: 60, word: 'vendor-class', kind: 'text' },
  clientId: { code: 61, word: 'client-id', kind: 'bytes' },
  tftpServerName: { code: 66, word: 'tftp-server-name', kind: 'text' },
  bootFile: { code: 67, word: 'boot-file', kind: 'text' },
  userClass: { code: 77, word: 'user-class', kind: 'bytes' },
  clientFqdn: { code: 81, word: 'client-fqdn', kind: 'bytes' },
  relayAgent: { code: 82, word: 'relay-agent', kind: 'subOptions' },
  clientArch: { code: 93, word: 'client-arch', kind: 'u16s' },
  clientNetworkInterface: { code: 94, word: 'client-network-interface', kind: 'u8s' },
  clientUuid: { code: 97, word: 'client-uuid', kind: 'bytes' },
  subnetSelection: { code: 118, word: 'subnet-selection', kind: 'ipv4' },
  ipxe: { code: 175, word: 'ipxe', kind: 'subOptions' },
} as const satisfies Readonly<Record<string, OptionRow>>;

export type OptionName = keyof typeof OPTIONS;
export type OptionValue<N extends OptionName> = KindValues[(typeof OPTIONS)[N]['kind']];

const BY_CODE: ReadonlyMap<number, OptionRow> = new Map(Object.values(OPTIONS).map((row) => [row.code, row]));

export function optionRow(code: number): OptionRow | undefined {
  return BY_CODE.get(code);
}

/** `option 51 (lease-time)`: how errors and dumps name an option. */
export function optionField(code: number): string {
  const row = BY_CODE.get(code);
  return row === undefined ? `option ${code}` : `option ${code} (${row.word})`;
}
