import { randomBytes } from 'node:crypto';

/** 16 hex digits each; the system is asked for 512 of them at a time, which costs as much as one. */
export function randomIds(): () => string {
  let pool = '';
  return () => {
    if (pool.length === 0) pool = randomBytes(4096).toString('hex');
    const id = pool.slice(-16);
    pool = pool.slice(0, -16);
    return id;
  };
}
