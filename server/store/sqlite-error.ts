import Sqlite from 'better-sqlite3';
import { AnybiosError, conflict, type ErrorCode, unavailable } from '../domain/errors.js';

/** An error as it crosses the thread: structured clone drops classes and own fields of errors. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  readonly remedy?: string;
}

/** What a failed call tells its caller. SQLite's errors are told apart by `code`, never by text. */
export function storeError(error: unknown, path: string): AnybiosError {
  if (error instanceof AnybiosError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  // SQLITE_CONSTRAINT_UNIQUE and its like: the second word is the kind, the third a detail.
  const kind = error instanceof Sqlite.SqliteError ? error.code.split('_')[1] : undefined;
  switch (kind) {
    case 'CONSTRAINT':
      return conflict(`the change contradicts what is stored: ${text}`, {
        remedy: 'somebody changed it at the same time: read it again and retry',
        cause: error,
      });
    case 'FULL':
      return failed(`the disk of ${path} is full`, 'free some space there; no restart is needed');
    case 'READONLY':
    case 'CANTOPEN':
    case 'PERM':
      return failed(
        `${path} cannot be written (${code})`,
        'check its owner, its mode and that its disk is not read-only',
      );
    case 'BUSY':
    case 'LOCKED':
      return failed(`${path} is in use by another process`, 'stop the other anybios that uses this dataDir');
    case 'NOTADB':
    case 'CORRUPT':
      return failed(
        `${path} is damaged or no SQLite file (${code})`,
        'restore it from a backup, or move it away to start empty',
      );
    case 'IOERR':
      return failed(`the disk of ${path} failed (${code})`, 'check the kernel log for disk errors');
    default:
      // EACCES, ENOSPC and their like of the folder; anything else is a fault of the store itself.
      if (code !== undefined && /^E[A-Z]+$/.test(code))
        return failed(`${path}: ${text}`, 'check that the folder exists and can be written');
      return new AnybiosError('internal', `the store failed: ${text}`, { cause: error });
  }

  function failed(message: string, remedy: string): AnybiosError {
    return unavailable(message, { remedy, cause: error });
  }
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

export function toPlain({ code, message, field, remedy }: AnybiosError): PlainError {
  return {
    code,
    message,
    ...(field === undefined ? {} : { field }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

export function fromPlain({ code, message, field, remedy }: PlainError): AnybiosError {
  return new AnybiosError(code, message, {
    ...(field === undefined ? {} : { field }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}
