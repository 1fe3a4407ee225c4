/** One line of `anybios doctor`. */
export interface Check {
  readonly name: string;
  /** `warning`: works, but someone should know. `skipped`: could not be looked at, and why. Only `failed` fails the command. */
  readonly state: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly message: string;
  /** What to do; on every `failed` and `warning`. */
  readonly remedy?: string;
  /** Everything that `message` shortens. */
  readonly items?: readonly string[];
}

export const ok = (name: string, message: string): Check => ({ name, state: 'ok', message });
export const warning = (name: string, message: string, remedy: string): Check => ({
  name,
  state: 'warning',
  message,
  remedy,
});
export const failed = (name: string, message: string, remedy: string): Check => ({
  name,
  state: 'failed',
  message,
  remedy,
});
export const skipped = (name: string, message: string): Check => ({ name, state: 'skipped', message });
