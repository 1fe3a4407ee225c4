import net from 'node:net';

export interface PortForward {
  readonly port: number;
  close(): void;
}

/**
 * Forwards a port of 127.0.0.1 to the server's unix socket: a socket file is reachable from outside the namespace, its
 * network is not. Takes `port`, or any free one when that is taken.
 */
export async function forwardPort(port: number, socketPath: string): Promise<PortForward> {
  const open = new Set<net.Socket>();
  const server = net.createServer((near) => {
    const far = net.connect(socketPath);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket);
      // A browser that goes away or a server that stops: the other half ends with it, the next request connects again.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const taken = await listen(server, port).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return listen(server, 0);
    throw error;
  });
  return {
    port: taken,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function listen(server: net.Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
