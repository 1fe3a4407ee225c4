import { parseArgs } from 'node:util';

/** `--name value` of a load client; every one has a default. Values stay text. */
export function loadOptions<T extends Record<string, string>>(defaults: T): T {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: 'string' as const, default: value }]),
  );
  const { values } = parseArgs({ options });
  return { ...defaults, ...values };
}

/** The one line that a load client prints. */
export function result(values: Readonly<Record<string, number | string>>): void {
  process.stdout.write(`${JSON.stringify(values)}\n`);
}

/** Of sorted or unsorted numbers; 0 of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
}

export const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits));
