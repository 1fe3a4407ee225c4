import { type Ipv4, UNSPECIFIED } from '../domain/ipv4.js';
import type { MessageType } from '../wire/dhcp/option-kinds.js';
import { OptionSet } from '../wire/dhcp/option-set.js';
import { OPTIONS, type OptionName, type OptionValue } from '../wire/dhcp/option-table.js';
import { type OptionsToFill, setOption } from '../wire/dhcp/options.js';
import type { DhcpPacket } from '../wire/dhcp/packet.js';
import type { EncodedOptions } from './subnet-options.js';

/** Named options in the order they go out. */
export type ReplyOptions = { readonly [N in OptionName]?: OptionValue<N> | undefined };

export interface ReplyContent {
  readonly type: MessageType;
  /** Option 54: how the client names this server from now on. */
  readonly serverId: Ipv4;
  readonly yiaddr?: Ipv4 | undefined;
  /** Where the boot file lies. */
  readonly siaddr?: Ipv4 | undefined;
  readonly file?: string | undefined;
  /** Before and after `options`. */
  readonly encoded?: readonly EncodedOptions[];
  readonly options?: ReplyOptions | undefined;
  readonly encodedAfter?: EncodedOptions;
  /** Set by people; they replace those above. */
  readonly chosen?: ReadonlyMap<number, { readonly bytes: Uint8Array }>;
  /** What the firmware needs to boot; nothing replaces these. */
  readonly boot?: ReplyOptions;
}

/**
 * The one place that keeps the invariants of a reply (RFC 2131, table 3): xid, chaddr, flags and giaddr come back as they were;
 * the client id is echoed (RFC 6842), the machine id too (RFC 4578, section 2.3), the relay's option 82 last (RFC 3046, 2.2).
 */
export function replyTo(request: DhcpPacket, content: ReplyContent): DhcpPacket {
  const options = new OptionSet();
  setOption(options, 'messageType', content.type);
  setOption(options, 'serverId', content.serverId);
  const add = (bytes: Uint8Array, code: number): unknown => options.set(code, bytes);
  for (const encoded of content.encoded ?? []) encoded.forEach(add);
  if (content.options !== undefined) copyAll(options, content.options);
  content.encodedAfter?.forEach(add);
  content.chosen?.forEach(({ bytes }, code) => {
    options.set(code, bytes);
  });
  if (content.boot !== undefined) copyAll(options, content.boot);
  // RFC 3011, section 2: a server that obeys the option says so.
  echo(request, options, 'subnetSelection');
  echo(request, options, 'clientUuid');
  echo(request, options, 'clientId');
  echo(request, options, 'relayAgent');
  const refused = content.type === 'nak';
  return {
    op: 'reply',
    htype: request.htype,
    hlen: request.hlen,
    hops: 0,
    xid: request.xid,
    secs: 0,
    // RFC 2131, section 4.3.2: the relay must broadcast a NAK, since the client's address is void.
    flags: refused && request.giaddr !== UNSPECIFIED ? { ...request.flags, broadcast: true } : request.flags,
    ciaddr: content.type === 'ack' ? request.ciaddr : UNSPECIFIED,
    yiaddr: content.yiaddr ?? UNSPECIFIED,
    siaddr: content.siaddr ?? UNSPECIFIED,
    giaddr: request.giaddr,
    chaddr: request.chaddr,
    sname: '',
    file: content.file ?? '',
    options,
  };
}

function copyAll(into: OptionsToFill, options: ReplyOptions): void {
  for (const name in options) copyNamed(into, options, name as OptionName);
}

function copyNamed<N extends OptionName>(into: OptionsToFill, options: ReplyOptions, name: N): void {
  const value: OptionValue<N> | undefined = options[name];
  if (value !== undefined) setOption(into, name, value);
}

function echo(request: DhcpPacket, options: OptionsToFill, name: OptionName): void {
  const { code } = OPTIONS[name];
  const bytes = request.options.get(code);
  if (bytes !== undefined) options.set(code, bytes);
}
