import type { ErrorCode } from '../domain/errors.js';
import { TFTP_ERROR, type TftpErrorCode } from '../wire/tftp/packet.js';

/** The product's kinds of failure as TFTP error codes. The reason goes into the message of the ERROR packet. */
export const TFTP_CODE_OF: Readonly<Record<ErrorCode, TftpErrorCode>> = {
  not_found: TFTP_ERROR.fileNotFound,
  unauthorized: TFTP_ERROR.accessViolation,
  // RFC 1350 has no word for these; 0 means "see the message".
  invalid: TFTP_ERROR.notDefined,
  conflict: TFTP_ERROR.notDefined,
  unavailable: TFTP_ERROR.notDefined,
  internal: TFTP_ERROR.notDefined,
};
