/** A port that cannot be had. `code` is the system's (EADDRINUSE). */
export class ListenError extends Error {
  readonly code: string;
  readonly address: string;

  constructor(message: string, code: string, address: string) {
    super(message);
    this.name = 'ListenError';
    this.code = code;
    this.address = address;
  }
}
