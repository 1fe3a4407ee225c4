import { unavailable } from '../../server/domain/errors.js';
import type { Store } from '../../server/domain/ports.js';

/** A real store whose chosen calls fail as they do when the disk is full. `failing` may be changed at any time. */
export interface FailingStore {
  readonly store: Store;
  /** Calls that reject now. */
  readonly failing: Set<keyof Store>;
}

/** Proves that a storage failure is told apart from "not found" and that no answer leaves before the data is kept. */
export function failingStore(real: Store, calls: Iterable<keyof Store> = []): FailingStore {
  const failing = new Set(calls);
  const store = new Proxy(real, {
    get(target, name) {
      for (const call of failing) {
        if (call === name) return () => Promise.reject(unavailable('the disk is full (failing on purpose)'));
      }
      // Bound to the real store: its private fields are not on the proxy.
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store, failing };
}
