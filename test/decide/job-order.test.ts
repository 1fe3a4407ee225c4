import { expect, test } from 'vitest';
import { type JobWish, jobOrder, sameOrder } from '../../server/decide/job-order.js';

const REFUSED: Readonly<Record<string, readonly [JobWish, string]>> = {
  'a start of nothing': [{ kind: 'start' }, 'start needs system'],
  'a reboot of a system': [{ kind: 'reboot', system: 'web' }, 'reboot has no system'],
  'a command for a stop': [{ kind: 'stop', system: 'web', command: ['x'] }, 'stop has no command'],
  'exec of nothing': [{ kind: 'exec' }, 'exec needs command'],
  'exec of an empty list': [{ kind: 'exec', command: [] }, 'the command is empty'],
  'a zero byte in an argument': [{ kind: 'exec', command: ['a', 'b\0c'] }, 'the command holds a zero byte'],
  'a system that is a path': [{ kind: 'start', system: '../x' }, '"../x" is no name of a system'],
  'new limits without one': [{ kind: 'limit', system: 'web' }, 'limit needs memory or cpus'],
};
test.each(Object.entries(REFUSED))('refused: %s', (_why, [wish, reason]) => {
  expect(() => jobOrder('node1', wish)).toThrow(reason);
});

test('an order has the machine and a time; the same wish is the same order, whatever its time', () => {
  const order = jobOrder('node1', { kind: 'exec', command: ['uptime'], system: undefined });
  expect(order).toEqual({ machine: 'node1', kind: 'exec', command: ['uptime'], timeoutSeconds: 3600 });
  expect(sameOrder(order, jobOrder('node1', { kind: 'exec', command: ['uptime'], timeoutSeconds: 5 }))).toBe(true);
  expect(sameOrder(order, jobOrder('node2', { kind: 'exec', command: ['uptime'] }))).toBe(false);
  expect(sameOrder(order, jobOrder('node1', { kind: 'exec', command: ['uptime', '-p'] }))).toBe(false);
});
