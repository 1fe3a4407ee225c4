export type SystemKind = 'chroot' | 'container' | 'vm';
export type RestartPolicy = 'always' | 'on-failure' | 'never';

/** A virtual system run on a machine: a root file system template plus a layer of its own. */
export interface System {
  readonly name: string;
  readonly kind: SystemKind;
  /** Image reference of the template: `base` or `base:1`. */
  readonly image: string;
  /** Program and arguments; no shell is involved. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path inside the system -> Handlebars text. */
  readonly files: Readonly<Record<string, string>>;
  /** Bytes; undefined = no limit. */
  readonly memoryBytes?: number;
  /** Processors, may be fractional; undefined = no limit. */
  readonly cpus?: number;
  readonly storage: 'ram';
  readonly restart: RestartPolicy;
}

/** What a machine reports of a system. `unknown` is derived: its machine is lost. */
export type SystemState = 'starting' | 'running' | 'paused' | 'stopped' | 'failed' | 'handed-over' | 'unknown';
export const REPORTED_SYSTEM_STATES = ['starting', 'running', 'paused', 'stopped', 'failed', 'handed-over'] as const;
