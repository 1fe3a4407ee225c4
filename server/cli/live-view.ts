import { BOOT_STAGES } from '../domain/boot-session.js';
import { paintState, plain, type Style } from './terminal/style.js';
import { clip, displayWidth, padEnd, padStart, printable } from './terminal/text.js';
import { formatBytesOf, formatDuration, percentOf } from './terminal/units.js';

/** What the live view shows of one machine; the fields of `GET /api/v1/machines` that it needs. Times in epoch ms. */
export interface LiveMachine {
  /** Name, or MAC of a machine that has none yet. */
  readonly name: string;
  readonly status: string;
  readonly boot?: LiveBoot | undefined;
  readonly systems: readonly { readonly name: string; readonly state: string }[];
}

interface LiveProgress {
  readonly file: string;
  readonly bytes: number;
  readonly total: number;
  /** In the queue of large downloads, of so many that wait. */
  readonly place?: number | undefined;
  readonly waiting?: number | undefined;
}

export interface LiveBoot {
  readonly stage: string;
  readonly outcome: string;
  readonly openedAt: number;
  /** The last thing heard of this boot: the clock of an ended boot stops here. */
  readonly lastStepAt?: number | undefined;
  readonly progress?: LiveProgress | undefined;
  readonly diagnosis?: { readonly name: string; readonly message: string; readonly remedy: string } | undefined;
}

/** Cells of the bar: two or three for each of the eight stages; below 70 columns one each. */
const BAR_WIDE = 20;
const BAR_NARROW = 8;
const GAP = '  ';

/**
 * One line of text for each machine, none wider than `width` columns (colour codes not counted): name, stage, bar over the
 * whole boot, time since power-on, then what is loading (`file bytes percent`), the systems, or the diagnosis. Pure: the
 * caller brings `now` and draws.
 */
export function liveLines(
  machines: readonly LiveMachine[],
  now: number,
  width: number,
  style: Style = plain,
): readonly string[] {
  const nameWidth = Math.min(
    Math.max(0, ...machines.map((machine) => displayWidth(machine.name))),
    width < 70 ? 12 : 24,
  );
  return machines.map((machine) => liveLine(machine, now, width, nameWidth, style));
}

function liveLine(machine: LiveMachine, now: number, width: number, nameWidth: number, style: Style): string {
  const name = padEnd(clip(printable(machine.name), nameWidth), nameWidth);
  const boot = machine.boot;
  if (boot === undefined) {
    const word = clip(machine.status, Math.max(0, width - nameWidth - GAP.length));
    return clip(name, width) + (word === '' ? '' : GAP + paintState(style, machine.status, word));
  }
  const cells = width < 70 ? BAR_NARROW : BAR_WIDE;
  const stage = padEnd(boot.stage, 7);
  const end = boot.outcome === 'running' || boot.outcome === 'stalled' ? now : (boot.lastStepAt ?? now);
  const elapsed = padStart(formatDuration(end - boot.openedAt), 9);
  const fixed = [name, stage, `[${bar(boot, cells)}]`, elapsed].join(GAP);
  if (displayWidth(fixed) >= width) return clip(`${name}${GAP}${stage}`, width);
  const painted = [style.strong(name), stage, `[${paintBar(boot, cells, style)}]`, elapsed].join(GAP);
  const room = width - displayWidth(fixed) - GAP.length;
  const detail = clip(printable(detailOf(machine, boot)), room);
  if (detail === '') return painted;
  return `${painted}${GAP}${isEnded(boot) ? paintState(style, boot.outcome, detail) : detail}`;
}

function detailOf(machine: LiveMachine, boot: LiveBoot): string {
  const systems = machine.systems.map((system) => `${system.name} ${system.state}`).join(', ');
  switch (boot.outcome) {
    case 'succeeded':
      return systems === '' ? machine.status : systems;
    case 'failed':
    case 'stalled':
      return boot.diagnosis === undefined ? boot.outcome : `${boot.diagnosis.name}: ${boot.diagnosis.message}`;
    default: {
      const { progress } = boot;
      // A file that is complete says nothing more: the stage has the word again.
      if (progress !== undefined && progress.bytes < progress.total) return progressText(progress);
      return systems === '' && machine.status !== 'booting' ? machine.status : systems;
    }
  }
}

/** `rootfs 3.2/7.9 MiB 40 %`, or `rootfs waits, place 12 of 40`. */
export function progressText(progress: LiveProgress): string {
  if (progress.place !== undefined)
    return `${progress.file} waits, place ${progress.place} of ${progress.waiting ?? progress.place}`.trim();
  const share = `${formatBytesOf(progress.bytes, progress.total)} ${percentOf(progress.bytes, progress.total)} %`;
  return progress.file === '' ? share : `${progress.file} ${share}`;
}

/** Filled cells of the bar over all stages; within a stage by the bytes of the file being loaded. Full only when succeeded. */
function filledCells(boot: LiveBoot, cells: number): number {
  if (boot.outcome === 'succeeded') return cells;
  const index = (BOOT_STAGES as readonly string[]).indexOf(boot.stage);
  if (index < 0) return 0;
  const { progress } = boot;
  const within = progress !== undefined && progress.total > 0 ? Math.min(1, progress.bytes / progress.total) : 0;
  return Math.min(cells - 1, Math.floor(((index + within) / BOOT_STAGES.length) * cells));
}

function bar(boot: LiveBoot, cells: number): string {
  const filled = filledCells(boot, cells);
  return '#'.repeat(filled) + '-'.repeat(cells - filled);
}

function paintBar(boot: LiveBoot, cells: number, style: Style): string {
  const filled = filledCells(boot, cells);
  const done = '#'.repeat(filled);
  return (isEnded(boot) ? paintState(style, boot.outcome, done) : done) + style.dim('-'.repeat(cells - filled));
}

function isEnded(boot: LiveBoot): boolean {
  return boot.outcome !== 'running';
}
