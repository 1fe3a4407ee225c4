/**
 * Runs what it is given one after the other: a change is checked against the state that all earlier changes made. Only writers of
 * the desired state and of images wait for each other; nothing on the boot path does.
 */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
