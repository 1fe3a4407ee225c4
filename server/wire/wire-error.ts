/**
 * The only error that may come out of a codec: the bytes are broken, or the value does not fit its field. Names the field and
 * the limit, so that it can be shown as the reason why a packet was ignored.
 */
export class WireError extends Error {
  /** What is broken, e.g. `option 51 (leaseTime)` or `file`. */
  readonly field: string;

  constructor(field: string, problem: string) {
    super(`${field}: ${problem}`);
    this.name = 'WireError';
    this.field = field;
  }
}
