import type { NewEvent } from '../domain/event.js';
import { formatCidr } from '../domain/ipv4.js';
import type { PoolUsage } from '../state/pools.js';

/** Shares of a pool. Between the last two the level stays, so that one machine that comes and goes tells nothing new. */
const FILLING = 0.9;
const RELAXED = 0.8;

type Level = 'roomy' | 'filling' | 'full';

export interface PoolWatchOptions {
  readonly usage: () => readonly PoolUsage[];
  readonly record: (event: Omit<NewEvent, 'at'>) => void;
}

/** Says that a pool runs out before it does, and once each time. */
export class PoolWatch {
  readonly #options: PoolWatchOptions;
  readonly #levels = new Map<string, Level>();

  constructor(options: PoolWatchOptions) {
    this.#options = options;
  }

  check(): void {
    for (const { cidr, size, used } of this.#options.usage()) {
      const name = formatCidr(cidr);
      const before = this.#levels.get(name) ?? 'roomy';
      const level = levelOf(used / size, before);
      this.#levels.set(name, level);
      if (level === before) continue;
      const words: Record<Level, string> = {
        roomy: `the pool of ${name} has room again: ${used} of ${size} addresses are in use`,
        filling: `the pool of ${name} fills up: ${used} of ${size} addresses are in use; widen it or shorten leaseTime`,
        full: `the pool of ${name} is full: all ${size} addresses are in use; new machines get none`,
      };
      this.#options.record({
        source: 'dhcp',
        kind: `dhcp.pool-${level}`,
        level: level === 'roomy' ? 'info' : level === 'filling' ? 'warning' : 'error',
        message: words[level],
        data: { subnet: name, used, size },
      });
    }
  }
}

function levelOf(share: number, before: Level): Level {
  if (share >= 1) return 'full';
  if (share >= FILLING) return 'filling';
  if (share > RELAXED && before !== 'roomy') return 'filling';
  return 'roomy';
}
