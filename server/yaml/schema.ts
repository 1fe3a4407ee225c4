import { z } from 'zod';
import { AnybiosError } from '../domain/errors.js';

// Building blocks for what people write. The message of every issue is the text that follows "allowed:" (problem.ts).

/** An object that refuses keys it does not know; the message lists those it knows. */
export function strict<T extends z.core.$ZodLooseShape>(shape: T): z.ZodObject<T, z.core.$strict> {
  const keys = Object.keys(shape).join(', ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? keys : undefined) });
}

/** Text that fits a pattern. */
export function word(pattern: RegExp, allowed: string): z.ZodString {
  return z.string().regex(pattern, { error: allowed });
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number, note = ''): z.ZodNumber {
  const error = `a whole number ${min}-${max}${note}`;
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error });
}

/**
 * Text read by one of the domain's parsers; its message and its remedy become the problem and what is allowed. `allowed` is for values
 * that are missing or no text.
 */
export function parsed<T>(
  parse: (text: string) => T,
  allowed?: string,
): z.ZodPipe<z.ZodString, z.ZodTransform<T, string>> {
  return z.string(allowed === undefined ? {} : { error: allowed }).transform((text, context): T => {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof AnybiosError)) throw error;
      const { message, remedy } = error;
      context.addIssue({ code: 'custom', message, ...(remedy === undefined ? {} : { params: { allowed: remedy } }) });
      return z.NEVER;
    }
  });
}
