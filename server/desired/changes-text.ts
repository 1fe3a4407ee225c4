import type { Change } from '../domain/desired.js';

const SIGNS: Readonly<Record<Change['action'], string>> = { add: '+', change: '~', remove: '-' };

/** The changes for people: one line each (`~ machine node1: role, address`), then the sum. */
export function changesText(changes: readonly Change[]): string {
  if (changes.length === 0) return 'no changes';
  const lines = changes.map(({ kind, action, name, fields }) => {
    const detail = action === 'change' ? `: ${fields.join(', ')}` : '';
    return `${SIGNS[action]} ${kind} ${name}${detail}`;
  });
  const count = (action: Change['action']): number => changes.filter((change) => change.action === action).length;
  return [...lines, `${count('add')} to add, ${count('change')} to change, ${count('remove')} to remove`].join('\n');
}
