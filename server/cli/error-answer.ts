import type { ErrorCode } from '../domain/errors.js';

const CODES: readonly string[] = ['invalid', 'not_found', 'conflict', 'unauthorized', 'unavailable', 'internal'];

/** The `{error}` of an answer of the API; `undefined` when the body is something else (a proxy's page). */
export function errorIn(
  body: string,
): { code: ErrorCode; message: string; field: string | undefined; remedy: string | undefined } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const error = member(value, 'error');
  const code = member(error, 'code');
  const message = member(error, 'message');
  if (typeof code !== 'string' || typeof message !== 'string') return undefined;
  const field = member(error, 'field');
  const remedy = member(error, 'remedy');
  return {
    code: CODES.includes(code) ? (code as ErrorCode) : 'internal',
    message,
    field: typeof field === 'string' ? field : undefined,
    remedy: typeof remedy === 'string' ? remedy : undefined,
  };
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}
