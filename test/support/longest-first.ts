import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files of real boots that take minutes, the longest first (on two cores). Two files run at once: a long one that begins last
 * would leave one core without work at the end.
 */
export const LONGEST_FIRST = [
  'live.test.ts',
  'move.test.ts',
  'faults.test.ts',
  'control.test.ts',
  'proxy-secure-boot.test.ts',
  'firmware.test.ts',
  'spares.test.ts',
  'proxy.test.ts',
  'systems.test.ts',
  'approval.test.ts',
  'lab-command.test.ts',
  'download-queue.test.ts',
] as const;

/** Vitest's own order goes by the length of the source when no earlier run is known, as on every clean checkout. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const order: readonly string[] = LONGEST_FIRST;
    const place = ({ moduleId, project }: TestSpecification): number => {
      const found = project.name === 'boot' ? order.indexOf(basename(moduleId)) : -1;
      return found < 0 ? order.length : found;
    };
    // Array.sort is stable: everything else stays in vitest's order.
    return (await super.sort(files)).sort(
      (a, b) => a.project.config.sequence.groupOrder - b.project.config.sequence.groupOrder || place(a) - place(b),
    );
  }
}
