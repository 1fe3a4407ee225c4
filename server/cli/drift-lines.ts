import type { MachineAnswer } from './api-schema.js';
import type { Cli } from './cli.js';
import { tableLines } from './terminal/table.js';

const ENDS: Readonly<Record<string, string>> = {
  live: 'by itself, without a reboot',
  reboot: 'needs a reboot',
  job: 'waits for you',
  wait: 'waits',
};

/** What of a machine differs from what it shall be, and what ends that; nothing when nothing does. */
export function driftLines(
  cli: Cli,
  { drift, changing }: Pick<MachineAnswer, 'drift' | 'changing'>,
): readonly string[] {
  if (drift.length === 0) return changing ? ['it changes its systems now'] : [];
  return [
    cli.style.strong(changing ? 'differs from what it shall be, and changes now' : 'differs from what it shall be'),
    ...tableLines(
      [
        { title: 'WHAT', value: ({ system, what }) => (system === undefined ? what : `${system}: ${what}`) },
        { title: 'WHY', value: ({ reason }) => reason, elastic: true },
        { title: 'ENDS', value: ({ ends }) => ENDS[ends] ?? ends },
        { title: 'WHAT TO DO', value: ({ ends, remedy }) => (ends === 'live' ? 'nothing' : remedy), elastic: true },
      ],
      drift,
      cli.width,
    ),
  ];
}
