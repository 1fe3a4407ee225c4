import type { TftpOption } from '../wire/tftp/packet.js';

/** RFC 1350: without an agreement, blocks have 512 bytes. */
const DEFAULT_BLOCK_SIZE = 512;
const SMALLEST_BLOCK_SIZE = 8;
const LARGEST_BLOCK_SIZE = 65_464;

export interface NegotiationLimits {
  /** Bytes; what the path to the client carries, 8 to 65,464. */
  readonly blockSize: number;
  /** Blocks per acknowledgement, at least 1. */
  readonly windowSize: number;
}

/** What is sent without waiting must fit into the receive buffer of a small client: the largest blocks get smaller windows. */
const WINDOW_BYTES = 512 * 1024;

export const NEGOTIATION_LIMITS: NegotiationLimits = { blockSize: LARGEST_BLOCK_SIZE, windowSize: 64 };

/** What both sides keep to in one transfer. */
export interface TransferTerms {
  /** Bytes. */
  readonly blockSize: number;
  /** Blocks sent before an acknowledgement is waited for. */
  readonly windowSize: number;
  /** The client's own interval between resends; undefined = ours. */
  readonly timeoutSeconds?: number;
  /** The OACK; empty = the first packet is block 1. */
  readonly accepted: readonly TftpOption[];
}

/**
 * Chooses what to agree to, of what was asked: blksize (RFC 2348), timeout and tsize (RFC 2349), windowsize (RFC 7440). Unknown
 * options, options out of their range and second mentions are left out of the answer, which refuses them (RFC 2347). Accepted
 * ones are answered in the order and the spelling of the request: firmware has been seen to compare both.
 *
 * `size` is the length of the file in bytes.
 */
export function negotiate(
  asked: readonly TftpOption[],
  size: number,
  limits: NegotiationLimits = NEGOTIATION_LIMITS,
): TransferTerms {
  let blockSize = DEFAULT_BLOCK_SIZE;
  let windowSize = 1;
  let timeoutSeconds: number | undefined;
  const accepted: TftpOption[] = [];
  const seen = new Set<string>();

  for (const { name, value } of asked) {
    const option = name.toLowerCase();
    if (seen.has(option)) continue;
    seen.add(option);
    const number = wholeNumber(value);
    if (number === undefined) continue;
    switch (option) {
      case 'blksize':
        if (number < SMALLEST_BLOCK_SIZE) break;
        blockSize = blockSizeOf(asked, limits);
        accepted.push({ name, value: String(blockSize) });
        break;
      case 'windowsize':
        if (number < 1 || number > 65_535) break;
        windowSize = Math.min(
          number,
          limits.windowSize,
          Math.max(1, Math.floor(WINDOW_BYTES / blockSizeOf(asked, limits))),
        );
        accepted.push({ name, value: String(windowSize) });
        break;
      case 'timeout':
        // It cannot be changed, only agreed to (RFC 2349).
        if (number < 1 || number > 255) break;
        timeoutSeconds = number;
        accepted.push({ name, value });
        break;
      case 'tsize':
        // curl (7.88) takes an announced size of 0 for a broken answer and stops; not announced, it gets its empty file.
        if (size === 0) break;
        accepted.push({ name, value: String(size) });
        break;
      default:
    }
  }
  return { blockSize, windowSize, accepted, ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) };
}

/** A smaller value than asked is ours to choose (RFC 2348). The first mention counts. */
function blockSizeOf(asked: readonly TftpOption[], limits: NegotiationLimits): number {
  const value = asked.find(({ name }) => name.toLowerCase() === 'blksize')?.value ?? '';
  const number = wholeNumber(value);
  return number === undefined || number < SMALLEST_BLOCK_SIZE ? DEFAULT_BLOCK_SIZE : Math.min(number, limits.blockSize);
}

function wholeNumber(value: string): number | undefined {
  return /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}
