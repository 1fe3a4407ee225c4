import { expect, test } from 'vitest';
import { ConnectionSlots, type Release } from '../../server/control/connection-slots.js';

test('so many at once; groups take turns, so that one does not wait for a batch', async () => {
  const slots = new ConnectionSlots(2);
  const order: string[] = [];
  const held: Release[] = [];
  const take = (group: string, name: string): Promise<void> =>
    slots.take(group).then((release) => {
      order.push(name);
      if (release !== undefined) held.push(release);
    });
  const all = [take('batch', 'b1'), take('batch', 'b2'), take('batch', 'b3'), take('batch', 'b4'), take('one', 'o1')];
  for (let given = 0; given < 5; given++) {
    await Promise.resolve();
    await Promise.resolve();
    expect(slots.taken).toBeLessThanOrEqual(2);
    held.shift()?.();
  }
  await Promise.all(all);
  expect(order).toEqual(['b1', 'b2', 'b3', 'o1', 'b4']);
  for (const release of held) release();
  expect(slots.taken).toBe(0);
});

test('giving back twice counts once; after the end nobody gets a turn', async () => {
  const slots = new ConnectionSlots(1);
  const first = await slots.take('a');
  first?.();
  first?.();
  expect(slots.taken).toBe(0);
  await slots.take('a');
  const waiting = slots.take('b');
  slots.close();
  expect(await waiting).toBeUndefined();
  expect(await slots.take('c')).toBeUndefined();
});

test('in a group the highest rank is next, as it is when the turn comes', async () => {
  const slots = new ConnectionSlots(1);
  const first = await slots.take('a');
  const rank = new Map([
    ['old', 1],
    ['new', 3],
    ['newer since', 0],
    ['as new', 3],
  ]);
  const order: string[] = [];
  const all = [...rank.keys()].map((name) =>
    slots
      .take('a', () => rank.get(name) ?? 0)
      .then((release) => {
        order.push(name);
        release?.();
      }),
  );
  rank.set('newer since', 4);
  first?.();
  await Promise.all(all);
  expect(order).toEqual(['newer since', 'new', 'as new', 'old']);
});
