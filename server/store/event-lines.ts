import type { NewEvent } from '../domain/event.js';
import type { EventLine } from './event-block.js';

/** Events on their way between the threads: JSON by line, and by line what they are found by. Neither can hold a line break. */
export interface EventTexts {
  readonly count: number;
  readonly lines: string;
  readonly keys: string;
}

/** Lines of `keys` for each event: source, level, session, machine, MAC. */
const KEY_LINES = 5;

/** Throws for events that are not plain data. */
export function toEventTexts(events: readonly NewEvent[]): EventTexts {
  let lines = '';
  let keys = '';
  for (const event of events) {
    const { source, level, session = '', machine = '', mac = '' } = event;
    const end = lines === '' ? '' : '\n';
    lines += end + JSON.stringify(event);
    keys += `${end}${source}\n${level}\n${session}\n${machine}\n${mac}`;
  }
  return { count: events.length, lines, keys };
}

export function* linesOf({ count, lines, keys }: EventTexts): Generator<EventLine> {
  if (count === 0) return;
  const texts = lines.split('\n');
  const found = keys.split('\n');
  for (let i = 0; i < count; i++) {
    const at = i * KEY_LINES;
    yield {
      text: texts[i] ?? '',
      source: found[at] ?? '',
      level: found[at + 1] ?? '',
      keys: found.slice(at + 2, at + KEY_LINES),
    };
  }
}
