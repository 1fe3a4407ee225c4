import { clip, displayWidth } from './text.js';
import { formatBytes, formatBytesOf, formatDuration, percentOf } from './units.js';

export interface Transfer {
  readonly label: string;
  readonly bytes: number;
  /** `undefined`: not known (a pipe). */
  readonly total: number | undefined;
  readonly elapsedMs: number;
}

const MOST_CELLS = 24;
/** A shorter bar tells nothing that the percentage does not. */
const LEAST_CELLS = 8;
/** Before this long a rate is noise. */
const RATE_AFTER_MS = 500;

/** `rootfs  [######------]  3.2/7.9 MiB  40 %  12.1 MiB/s  ETA 2 s`; narrower terminals have a shorter bar, then none, then lose the end. */
export function transferLine({ label, bytes, total, elapsedMs }: Transfer, width: number): string {
  const rate = elapsedMs < RATE_AFTER_MS ? 0 : bytes / (elapsedMs / 1000);
  const speed = rate > 0 ? [`${formatBytes(rate)}/s`] : [];
  if (total === undefined) return clip([label, formatBytes(bytes), ...speed].join('  '), width);
  const eta = rate > 0 && bytes < total ? [`ETA ${formatDuration(((total - bytes) / rate) * 1000)}`] : [];
  const rest = [formatBytesOf(bytes, total), `${percentOf(bytes, total)} %`, ...speed, ...eta];
  const line = [label, ...rest].join('  ');
  // The brackets, and two spaces.
  const cells = Math.min(MOST_CELLS, width - displayWidth(line) - 4);
  if (cells < LEAST_CELLS) return clip(line, width);
  const filled = Math.floor((percentOf(bytes, total) / 100) * cells);
  return [label, `[${'#'.repeat(filled)}${'-'.repeat(cells - filled)}]`, ...rest].join('  ');
}
