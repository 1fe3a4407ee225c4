import type { DriftAnswer } from './api-schema.js';
import type { Cli } from './cli.js';

/** What an effect does to a system, for people; what is not here says so by its reason. */
const DONE: Readonly<Record<string, string>> = {
  missing: 'is started',
  extra: 'is stopped and taken apart',
  definition: 'is composed anew: it stops and starts',
  limits: 'gets its new limits while it runs',
  image: 'gets another version of its image when it is refreshed (anybios job refresh)',
};
const MACHINES_SHOWN = 8;

/**
 * What a change does to running machines: those that change while they run, grouped by what happens to them, then those that need a
 * reboot or a correction, each with the reason.
 */
export function effectLines(
  cli: Cli,
  machines: readonly { readonly name: string; readonly effects: readonly DriftAnswer[] }[],
): readonly string[] {
  const { style } = cli;
  const groups = new Map<string, { readonly ends: string; readonly names: string[] }>();
  for (const { name, effects } of machines)
    for (const { system, what, reason, ends } of effects) {
      const done = system === undefined ? undefined : DONE[what];
      const text = done === undefined ? `${system ?? what}: ${reason}` : `${system} ${done}`;
      const group = groups.get(text);
      if (group === undefined) groups.set(text, { ends, names: [name] });
      else group.names.push(name);
    }
  const section = (title: string, fits: (ends: string) => boolean): string[] => {
    const lines = [...groups]
      .filter(([, { ends }]) => fits(ends))
      .map(([text, { names }]) => `  ${text}  ${style.dim(`(${namesText(names)})`)}`);
    return lines.length === 0 ? [] : [style.strong(title), ...lines];
  };
  return [
    ...section('running machines, without a reboot:', (ends) => ends === 'live' || ends === 'job'),
    ...section('running machines that need a reboot:', (ends) => ends === 'reboot'),
    ...section('running machines that stay as they are:', (ends) => ends === 'wait'),
  ];
}

function namesText(names: readonly string[]): string {
  const shown = names.slice(0, MACHINES_SHOWN).join(', ');
  return names.length <= MACHINES_SHOWN ? shown : `${shown} and ${names.length - MACHINES_SHOWN} more`;
}
