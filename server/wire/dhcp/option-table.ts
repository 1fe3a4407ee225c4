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
  timeOffset: { code: 2, word: 'time-offset', kind: 'i32' },
  routers: { code: 3, word: 'routers', kind: 'ipv4s' },
  timeServers: { code: 4, word: 'time-servers', kind: 'ipv4s' },
  dnsServers: { code: 6, word: 'dns-servers', kind: 'ipv4s' },
  logServers: { code: 7, word: 'log-servers', kind: 'ipv4s' },
  hostName: { code: 12, word: 'host-name', kind: 'text' },
  domainName: { code: 15, word: 'domain-name', kind: 'text' },
  rootPath: { code: 17, word: 'root-path', kind: 'text' },
  ipForwarding: { code: 19, word: 'ip-forwarding', kind: 'bool' },
  interfaceMtu: { code: 26, word: 'interface-mtu', kind: 'u16' },
  broadcastAddress: { code: 28, word: 'broadcast-address', kind: 'ipv4' },
  staticRoutes: { code: 33, word: 'static-routes', kind: 'ipv4s' },
  ntpServers: { code: 42, word: 'ntp-servers', kind: 'ipv4s' },
  vendorOptions: { code: 43, word: 'vendor-options', kind: 'closedSubOptions' },
  netbiosServers: { code: 44, word: 'netbios-servers', kind: 'ipv4s' },
  netbiosNodeType: { code: 46, word: 'netbios-node-type', kind: 'u8' },
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
  posixTimezone: { code: 100, word: 'posix-timezone', kind: 'text' },
  tzdbTimezone: { code: 101, word: 'tzdb-timezone', kind: 'text' },
  captivePortal: { code: 114, word: 'captive-portal', kind: 'text' },
  subnetSelection: { code: 118, word: 'subnet-selection', kind: 'ipv4' },
  domainSearch: { code: 119, word: 'domain-search', kind: 'domains' },
  routes: { code: 121, word: 'routes', kind: 'routes' },
  vendorClasses: { code: 124, word: 'vendor-classes', kind: 'bytes' },
  vendorInformation: { code: 125, word: 'vendor-information', kind: 'bytes' },
  capwapControllers: { code: 138, word: 'capwap-controllers', kind: 'ipv4s' },
  tftpServers: { code: 150, word: 'tftp-servers', kind: 'ipv4s' },
  ipxe: { code: 175, word: 'ipxe', kind: 'subOptions' },
  pxelinuxConfigFile: { code: 209, word: 'pxelinux-config-file', kind: 'text' },
  pxelinuxPathPrefix: { code: 210, word: 'pxelinux-path-prefix', kind: 'text' },
  proxyAutodiscovery: { code: 252, word: 'proxy-autodiscovery', kind: 'text' },
} as const satisfies Readonly<Record<string, OptionRow>>;

export type OptionName = keyof typeof OPTIONS;
export type OptionValue<N extends OptionName> = KindValues[(typeof OPTIONS)[N]['kind']];

const BY_CODE: ReadonlyMap<number, OptionRow> = new Map(Object.values(OPTIONS).map((row) => [row.code, row]));

export function optionRow(code: number): OptionRow | undefined {
  return BY_CODE.get(code);
}

/** Made once: every packet needs a dozen, in case one of them is broken. */
const FIELDS: readonly string[] = Array.from({ length: 256 }, (_, code) => {
  const row = BY_CODE.get(code);
  return row === undefined ? `option ${code}` : `option ${code} (${row.word})`;
});

const LENGTH_FIELDS: readonly string[] = FIELDS.map((field) => `${field}, length`);

export function lengthField(code: number): string {
  return LENGTH_FIELDS[code] ?? `option ${code}, length`;
}

/** `option 51 (lease-time)`: how errors and dumps name an option. */
export function optionField(code: number): string {
  return FIELDS[code] ?? `option ${code}`;
}

const CODES: ReadonlyMap<string, number> = new Map(Object.values(OPTIONS).map((row) => [row.word, row.code]));

/** Short words that people write for the options they set most. */
const ALIASES: Readonly<Record<string, number>> = {
  router: 3,
  dns: 6,
  hostname: 12,
  domain: 15,
  mtu: 26,
  broadcast: 28,
  ntp: 42,
  vendor: 43,
};

/** The number of `42`, `ntp-servers` or `ntp`; undefined = there is no such option. */
export function optionCode(word: string): number | undefined {
  if (/^\d{1,3}$/.test(word)) return Number(word) <= 255 ? Number(word) : undefined;
  return CODES.get(word) ?? (Object.hasOwn(ALIASES, word) ? ALIASES[word] : undefined);
}

/** Every word that optionCode reads, for suggestions. */
export function optionWords(): readonly string[] {
  return [...CODES.keys(), ...Object.keys(ALIASES)];
}
