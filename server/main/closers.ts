/** How to end what has been started, in the order of the start. */
export type Closers = (() => Promise<unknown>)[];

/** Ends the newest first; what was ended is not ended again. */
export async function closeAll(closers: Closers): Promise<void> {
  for (const closer of closers.splice(0).reverse()) await closer();
}
