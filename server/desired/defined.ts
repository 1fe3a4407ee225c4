/** T without undefined: optional keys only. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** Absent is absent, never undefined: `optional()`, which the description of the API understands, lets undefined through. */
export function defined<T extends object>(form: T): Defined<T> {
  return Object.fromEntries(Object.entries(form).filter(([, value]) => value !== undefined)) as Defined<T>;
}
