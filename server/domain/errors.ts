/** The few kinds of failure the product knows. Each maps to one HTTP status (http/errors.ts) and one TFTP code (tftp/errors.ts). */
export type ErrorCode = 'invalid' | 'not_found' | 'conflict' | 'unauthorized' | 'unavailable' | 'internal';

export interface ErrorDetail {
  /** The key or argument that is wrong, e.g. `machines[2].macs[0]`. */
  readonly field?: string;
  /** What the reader can do about it. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** An error meant for a person: says what is wrong, where, and what to do. */
export class AnybiosError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'AnybiosError';
    this.code = code;
    this.field = detail.field;
    this.remedy = detail.remedy;
  }
}

export const invalid = (message: string, detail?: ErrorDetail): AnybiosError =>
  new AnybiosError('invalid', message, detail);
export const notFound = (message: string, detail?: ErrorDetail): AnybiosError =>
  new AnybiosError('not_found', message, detail);
export const conflict = (message: string, detail?: ErrorDetail): AnybiosError =>
  new AnybiosError('conflict', message, detail);
export const unauthorized = (message: string, detail?: ErrorDetail): AnybiosError =>
  new AnybiosError('unauthorized', message, detail);
export const unavailable = (message: string, detail?: ErrorDetail): AnybiosError =>
  new AnybiosError('unavailable', message, detail);
