/** A pino logger fits. */
export interface TftpLog {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
  error(data: object, message: string): void;
}

/** At most one line a second: what anybody can send by the thousand must not fill the disk. */
export class QuietLog {
  readonly #log: TftpLog;
  readonly #now: () => number;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #untold = 0;

  constructor(log: TftpLog, now: () => number) {
    this.#log = log;
    this.#now = now;
  }

  warn(data: object, message: string): void {
    const now = this.#now();
    if (now < this.#quietUntil) {
      this.#untold += 1;
      return;
    }
    this.#log.warn(this.#untold === 0 ? data : { ...data, untold: this.#untold }, message);
    this.#quietUntil = now + 1000;
    this.#untold = 0;
  }
}
