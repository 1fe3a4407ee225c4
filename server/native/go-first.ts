import { endianness, getPriority } from 'node:os';
import { getSystemErrorName } from 'node:util';

/** sched_setattr(2) by its number: the C library of Debian 12 has no function for it. */
const SCHED_SETATTR: Readonly<Partial<Record<string, number>>> = { x64: 314, arm64: 274 };
/** `struct sched_attr` (linux/sched/types.h): size, policy, flags, nice, priority, runtime, deadline, period. */
const ATTR_BYTES = 48;
const SCHED_OTHER = 0;
/** What this thread begins, threads and programs, is as others again. */
const SCHED_FLAG_RESET_ON_FORK = 1n;
const NICE = -10;
/** From Linux 6.12 on: short turns, and so an early one after waking up (100 us is the least). Older kernels do not look at it. */
const TURN_NS = 100_000n;

/**
 * Puts the calling thread before others of the machine: a packet waits for it, while whoever downloads or checks an image waits for
 * all of that. Where another nice value or policy was chosen for the server, that stays. Without the right to it (root, CAP_SYS_NICE or
 * RLIMIT_NICE) only the turns change. Answers why it could not be done; then everything works the same, and later under load.
 */
export async function goFirst(): Promise<string | undefined> {
  const number = SCHED_SETATTR[process.arch];
  if (process.platform !== 'linux' || number === undefined || endianness() !== 'LE') {
    return `not built for ${process.platform} ${process.arch}`;
  }
  try {
    // Optional (docs/dependencies.md).
    const { default: koffi } = await import('koffi');
    const library = koffi.load(null);
    if (library.func('int sched_getscheduler(int pid)')(0) !== SCHED_OTHER) return undefined;
    const syscall = library.func('long syscall(long number, int pid, const uint8_t *attr, unsigned int flags)');
    const set = (nice: number): string | undefined =>
      syscall(number, 0, attributes(nice), 0) === 0 ? undefined : getSystemErrorName(-koffi.errno());
    const given = getPriority();
    if (given !== 0) return set(given);
    const refused = set(NICE);
    return refused === undefined ? undefined : (set(0) ?? `nice ${NICE} is not allowed (${refused})`);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function attributes(nice: number): Uint8Array {
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(ATTR_BYTES, 0);
  attr.writeBigUInt64LE(SCHED_FLAG_RESET_ON_FORK, 8);
  attr.writeInt32LE(nice, 16);
  attr.writeBigUInt64LE(TURN_NS, 24);
  return attr;
}
