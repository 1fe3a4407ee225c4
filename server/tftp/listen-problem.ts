import { AnybiosError, conflict } from '../domain/errors.js';

/** Why a UDP port cannot be used, with what to do about it. */
export function listenProblem(error: NodeJS.ErrnoException, address: string, port: number): Error {
  const where = `${address}:${port} (UDP)`;
  switch (error.code) {
    case 'EADDRINUSE':
      return conflict(`${where} is in use`, {
        field: 'listen.tftp',
        remedy: 'stop the other TFTP server (dnsmasq, tftpd-hpa, atftpd), or set listen.tftp to another port',
        cause: error,
      });
    case 'EACCES':
      return new AnybiosError('unavailable', `not allowed to listen on ${where}`, {
        field: 'listen.tftp',
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
