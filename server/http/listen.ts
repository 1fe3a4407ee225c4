import { rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { AnybiosError, conflict } from '../domain/errors.js';

/**
 * Makes the server listen on a unix socket (mode 0600; a token is needed there too). A socket file that a killed server left behind
 * is replaced; one that answers belongs to a running server: `conflict`.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (await answers(path)) {
    throw conflict(`another server is running on ${path}`, {
      remedy: 'stop it, or give this one a dataDir of its own',
    });
  }
  await rm(path, { force: true });
  // Node has no mode for listen(), and makes the socket before it returns: a chmod afterwards would come too late.
  const umask = process.umask(0o177);
  const ready = listening(server, { path });
  process.umask(umask);
  await ready;
}

/** Resolves when the server listens; a port in use is `conflict`, a forbidden one `unavailable`, both with a remedy. */
export function listening(
  server: Server,
  target: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => reject(listenError(error, target));
    server.once('error', fail);
    server.listen(target, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

function listenError(
  error: NodeJS.ErrnoException,
  target: { readonly path: string } | { readonly host: string; readonly port: number },
): Error {
  const where = 'path' in target ? target.path : `${target.host}:${target.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return conflict(`${where} is in use`, {
        remedy: 'stop the other program, or set listen.http to another port',
        cause: error,
      });
    case 'EACCES':
      return new AnybiosError('unavailable', `not allowed to listen on ${where}`, {
        remedy: 'start as root',
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return new AnybiosError('unavailable', `this computer has no address ${where}`, {
        remedy: 'set listen.address to an address of one of its interfaces',
        cause: error,
      });
    default:
      return error;
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Not there (ENOENT), or nobody behind it (ECONNREFUSED): free to take.
    socket.once('error', () => resolve(false));
  });
}
