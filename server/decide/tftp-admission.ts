/** What may run at once. */
export interface TransferLimits {
  readonly total: number;
  /** To one address: a machine has one or two, a site behind address translation as many as it has machines. */
  readonly perAddress: number;
}

export const TRANSFER_LIMITS: TransferLimits = { total: 4096, perAddress: 64 };

/** Transfers that run now. */
export interface TransferLoad {
  readonly total: number;
  readonly ofAddress: number;
}

/** Why one more is refused, in words for the client; undefined = it may run. */
export function refuseTransfer(load: TransferLoad, limits: TransferLimits): string | undefined {
  if (load.ofAddress >= limits.perAddress)
    return `${limits.perAddress} transfers to your address are running: try again`;
  if (load.total >= limits.total) return `${limits.total} transfers are running: try again`;
  return undefined;
}

/** Who is slower than this after the time below, keeps a place from somebody who would use it. */
const SLOW_BYTES_PER_SECOND = 1024;
const SLOW_AFTER_SECONDS = 60;

export interface Pace {
  /** Confirmed by the client. */
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * The transfer that must give up its place when all are taken: the slowest of those that crawl; of equals the first. Undefined =
 * all of them make their way.
 */
export function slowestTransfer<T extends Pace>(transfers: Iterable<T>): T | undefined {
  let slowest: T | undefined;
  let least = SLOW_BYTES_PER_SECOND;
  for (const transfer of transfers) {
    if (transfer.seconds < SLOW_AFTER_SECONDS) continue;
    const pace = transfer.bytes / transfer.seconds;
    if (pace >= least) continue;
    least = pace;
    slowest = transfer;
  }
  return slowest;
}
