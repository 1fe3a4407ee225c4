import { clip, displayWidth } from './text.js';
import { formatBytes, formatBytesOf, formatDuration, percentOf } from './units.js';

export interface Transfer {
  readonly label: string;
  readonly bytes: number;
  /** `undefined`: not known (a pipe). */
  readonly total: number | undefined;
  readonly elapsedMs: number;
}

const CELLS = 24;
/** Before this long a rate is noise. */
const RATE_AFTER_MS = 500;

/** `rootfs  [######------]  3.2/7.9 MiB  40 %  12.1 MiB/s  ETA 2 s`; narrower terminals lose the bar, then the end. */
export function transferLine({ label, bytes, total, elapsedMs }: Transfer, width: number): string {
  const rate = elapsedMs < RATE_AFTER_MS ? 0 : bytes / (elapsedMs / 1000);
  const speed = rate > 0 ? [`${formatBytes(rate)}/s`] : [];
  if (total === undefined) return clip([label, formatBytes(bytes), ...speed].join('  '), width);
  const filled = Math.floor((percentOf(bytes, total) / 100) * CELLS);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(CELLS - filled)}]`;
  const eta = rate > 0 && bytes < total ? [`ETA ${formatDuration(((total - bytes) / rate) * 1000)}`] : [];
  const rest = [formatBytesOf(bytes, total), `${percentOf(bytes, total)} %`, ...speed, ...eta];
  const whole = [label, bar, ...rest].join('  ');
  return displayWidth(whole) <= width ? whole : clip([label, ...rest].join('  '), width);
}
