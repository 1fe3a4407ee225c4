/** How many machines load something large at once, over HTTP in stage 1 and the live OS. */
export interface DownloadLimits {
  readonly atOnce: number;
  /** In each subnet that sets no number of its own. */
  readonly perSubnet: number;
}

/** A small site never waits: fifty machines fill ten Gbit/s. */
export const DOWNLOAD_LIMITS: DownloadLimits = { atOnce: 100, perSubnet: 50 };
