import { statSync } from 'node:fs';
import { conflict, invalid } from '../domain/errors.js';
import { run } from './command.js';

/** The lab's network: one bridge inside a namespace of its own, with no way out. */
export const LAB_NETWORK = {
  bridge: 'br0',
  address: '10.77.0.1',
  cidr: '10.77.0.0/24',
  pool: '10.77.0.100-10.77.0.200',
} as const;

/**
 * The inode of a named network namespace (its identity while it lives), undefined when there is none of that name.
 */
export function namespaceInode(namespace: string): number | undefined {
  return statSync(`/run/netns/${namespace}`, { throwIfNoEntry: false })?.ino;
}

/** Throws `invalid` for names that are not plain words, `conflict` when a namespace of that name exists. */
export function createNetwork(namespace: string): number {
  checkNamespaceName(namespace);
  if (namespaceInode(namespace) !== undefined) {
    throw conflict(`a network namespace "${namespace}" exists and is not this lab's`, {
      remedy: `remove it (ip netns del ${namespace}) or give the lab another name with --namespace`,
    });
  }
  run('ip', ['netns', 'add', namespace]);
  const inside = (...args: string[]): string => run('ip', ['-netns', namespace, ...args]);
  inside('link', 'set', 'lo', 'up');
  // forward_delay 0: a new port forwards at once, the first DISCOVER of a fast firmware is not lost.
  inside('link', 'add', LAB_NETWORK.bridge, 'type', 'bridge', 'forward_delay', '0', 'mcast_snooping', '0');
  inside('addr', 'add', `${LAB_NETWORK.address}/24`, 'dev', LAB_NETWORK.bridge);
  inside('link', 'set', LAB_NETWORK.bridge, 'up');
  return statSync(`/run/netns/${namespace}`).ino;
}

/** One tap device on the bridge, for one machine. */
export function addTap(namespace: string, tap: string): void {
  run('ip', ['-netns', namespace, 'tuntap', 'add', tap, 'mode', 'tap']);
  run('ip', ['-netns', namespace, 'link', 'set', tap, 'master', LAB_NETWORK.bridge, 'up']);
}

/** Everything inside goes with it, once the last process has left. */
export function removeNetwork(namespace: string): void {
  run('ip', ['netns', 'del', namespace]);
}

/** Ids of all processes in the namespace, ours or not. */
export function processesIn(namespace: string): readonly number[] {
  return run('ip', ['netns', 'pids', namespace])
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

export function checkNamespaceName(namespace: string): void {
  if (!/^[a-z0-9][a-z0-9_-]{0,31}$/i.test(namespace)) {
    throw invalid(`"${namespace}" is not a name for a network namespace`, {
      field: '--namespace',
      remedy: 'use up to 32 letters, digits, - and _',
    });
  }
}
