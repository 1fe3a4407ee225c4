import { AnybiosError, conflict } from './errors.js';

const OTHERS = {
  http: 'stop the other program',
  tftp: 'stop the other TFTP server (dnsmasq, tftpd-hpa, atftpd)',
};

/** Why a port cannot be used, with what to do about it. Errors that say nothing of a port are returned as they are. */
export function listenProblem(
  error: Error & { readonly code?: string | undefined },
  address: string,
  port: number,
  service: keyof typeof OTHERS,
): Error {
  const where = `${address}:${port}${service === 'tftp' ? ' (UDP)' : ''}`;
  const field = `listen.${service}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return conflict(`${where} is in use`, {
        field,
        remedy: `${OTHERS[service]}, or set ${field} to another port`,
        cause: error,
      });
    case 'EACCES':
      return new AnybiosError('unavailable', `not allowed to listen on ${where}`, {
        field,
        remedy: 'start as root, or with the capability CAP_NET_BIND_SERVICE',
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return new AnybiosError('unavailable', `this computer has no address ${address}`, {
        field: 'listen.address',
        remedy: 'set listen.address to an address of one of its interfaces',
        cause: error,
      });
    default:
      return error;
  }
}
