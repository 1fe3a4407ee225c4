/** Something happened since the last wait, or happens during it. */
export class Signal {
  #raised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** Resolves when nothing has happened for `milliseconds`, or after `limit`. */
  async quiet(milliseconds: number, limit: number): Promise<void> {
    const end = Date.now() + limit;
    do this.#raised = false;
    while ((await this.wait(milliseconds)) && Date.now() < end);
  }

  /** True = something happened; false = the time is over. */
  async wait(milliseconds: number | undefined): Promise<boolean> {
    if (!this.#raised) {
      await new Promise<void>((resolve) => {
        const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
    const happened = this.#raised;
    this.#raised = false;
    return happened;
  }
}
