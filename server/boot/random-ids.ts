import { randomBytes } from 'node:crypto';

/** Hex digits of the time in milliseconds: enough until the year 2527. */
const TIME_DIGITS = 11;
const RANDOM_DIGITS = 13;

/**
 * 24 hex digits each: the time, then chance. Rows with such keys lie behind each other in the database, where keys of chance alone
 * would touch another page with each boot. The system is asked for many random bytes at a time, which costs as much as one.
 */
export function randomIds(clock: () => number = Date.now): () => string {
  let pool = '';
  return () => {
    if (pool.length < RANDOM_DIGITS) pool = randomBytes(4096).toString('hex');
    const chance = pool.slice(-RANDOM_DIGITS);
    pool = pool.slice(0, -RANDOM_DIGITS);
    return clock().toString(16).padStart(TIME_DIGITS, '0') + chance;
  };
}
