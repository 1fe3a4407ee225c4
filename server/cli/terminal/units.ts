const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** The unit (a power of 1024) in which `bytes` reads best. */
function unitOf(bytes: number): number {
  let unit = 0;
  while (unit < UNITS.length - 1 && bytes >= 1024 ** (unit + 1) * 0.9995) unit += 1;
  return unit;
}

function inUnit(bytes: number, unit: number): string {
  const value = bytes / 1024 ** unit;
  return unit === 0 ? String(Math.round(value)) : value.toFixed(value < 99.95 ? 1 : 0);
}

/** `0 B`, `512 B`, `7.9 MiB`. */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes);
  return `${inUnit(bytes, unit)} ${UNITS[unit] ?? 'B'}`;
}

/** Both in the unit of the larger: `3.2/7.9 MiB`. */
export function formatBytesOf(bytes: number, total: number): string {
  const unit = unitOf(Math.max(bytes, total));
  return `${inUnit(bytes, unit)}/${inUnit(total, unit)} ${UNITS[unit] ?? 'B'}`;
}

/** `8 s`, `1 m 05 s`, `3 h 12 m`, `2 d 04 h`: two units at most. A negative time (clocks differ) is `0 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${two(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${two(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** `3 m 10 s ago`, or `in 40 m 00 s` for what is to come. */
export function formatAge(at: number, now: number): string {
  return at > now + 999 ? `in ${formatDuration(at - now)}` : `${formatDuration(now - at)} ago`;
}

/** Whole percent, never 100 before everything is there. */
export function percentOf(bytes: number, total: number): number {
  if (total <= 0) return 0;
  return bytes >= total ? 100 : Math.max(0, Math.floor((bytes / total) * 100));
}
