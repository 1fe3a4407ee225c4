import type { Command } from 'commander';

/** Adds examples at the end of a command's help: what it is for, then the command line. */
export function withExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const lines = examples.map(([why, line]) => `  # ${why}\n  anybios ${line}`);
  return command.addHelpText('after', `\nExample${examples.length === 1 ? '' : 's'}:\n${lines.join('\n')}`);
}
