/** At once where nothing has to be waited for: a promise costs a turn of the microtask queue and, in a hot loop, most of the time. */
export type MaybePromise<T> = T | Promise<T>;

/** `next` of the value, now or when it is there. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
