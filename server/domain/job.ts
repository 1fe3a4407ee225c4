/** What a job may do. `logs` and `console` last as long as somebody listens; all others have a result. */
export const JOB_KINDS = [
  'start',
  'stop',
  'restart',
  'pause',
  'resume',
  'kill',
  'limit',
  'refresh',
  'exec',
  'reboot',
  'poweroff',
  'move',
  'logs',
  'console',
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export const JOB_STATES = ['queued', 'sent', 'done', 'failed', 'timed-out'] as const;
export type JobState = (typeof JOB_STATES)[number];

/** What is to be done: the part of a job that must be the same when an id is used again. */
export interface JobOrder {
  /** Name of the machine. */
  readonly machine: string;
  readonly kind: JobKind;
  /** Absent: the machine itself. */
  readonly system?: string;
  /** `exec`: program and arguments; no shell is involved. */
  readonly command?: readonly string[];
  /** `limit`: bytes. */
  readonly memoryBytes?: number | 'none';
  /** `limit`: processors. */
  readonly cpus?: number | 'none';
  /** `logs`: how many of the last lines, and whether to wait for more. */
  readonly lines?: number;
  readonly follow?: boolean;
  /** `move`: the machine that gets the role, with what its systems have written. */
  readonly to?: string;
  /** From being sent to a result. */
  readonly timeoutSeconds: number;
}

/** One command to one machine, with what became of it (docs/control.md). */
export interface Job extends JobOrder {
  /** Transaction id: given by the client or made; the machine runs each once in a boot. */
  readonly id: string;
  /** Jobs that were asked for together. */
  readonly batch?: string;
  /** Who asked: the name of the token. */
  readonly by: string;
  readonly state: JobState;
  /** Epoch ms, as all times here. */
  readonly createdAt: number;
  /** A job that could not be sent by then is given up. */
  readonly expiresAt: number;
  readonly sentAt?: number;
  readonly endedAt?: number;
  /** The boot session in which it was, or may have been, handed over: only there may the same id be sent again. */
  readonly session?: string;
  /** The machine answered that it begins (reboot, poweroff). */
  readonly acceptedAt?: number;
  /** Status of the command. */
  readonly exit?: number;
  /** One line: why it failed, or what it waits for. */
  readonly message?: string;
  /** How much it wrote, in bytes. */
  readonly outputBytes?: number;
  /** Not all of the output was kept. */
  readonly truncated?: boolean;
  /** `move`: how far it is; absent before it begins. */
  readonly move?: MoveProgress;
}

/** `placing`: all has come; from there on it is finished, not broken off. */
export const MOVE_PHASES = ['checking', 'stopping', 'copying', 'placing'] as const;

export interface MoveProgress {
  readonly phase: (typeof MOVE_PHASES)[number];
  /** The role that goes to the other machine. */
  readonly role: string;
  /** The system whose storage is copied now. */
  readonly system?: string;
  /** Copied, of all that is to be copied, in bytes of the stream. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export const isOpen = ({ state }: Pick<Job, 'state'>): boolean => state === 'queued' || state === 'sent';
