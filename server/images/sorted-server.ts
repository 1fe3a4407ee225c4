import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:net';
import { ConnectionGuard } from './connection-guard.js';
import { ConnectionSorter, stopReading } from './connection-sorter.js';
import type { TakeConnection } from './front.js';
import { sortConnection } from './image-url.js';
import { beginsWithUpload } from './upload-url.js';

/** Does not listen yet: the caller makes it. */
export interface SortedServer {
  readonly server: Server;
  /** Every connection is closed. */
  close(): Promise<void>;
}

/** A person who types a request by hand over `socat` has time. */
const HEAD_MILLISECONDS = 60_000;

/** A server on one address (the unix socket): uploads go to the process that keeps the files of images, everything else to `app`. */
export function createSortedServer(app: RequestListener, takeUpload: TakeConnection): SortedServer {
  const http = createHttpServer({ requestTimeout: 0 }, app);
  const guard = new ConnectionGuard(http, HEAD_MILLISECONDS);
  const sorter = new ConnectionSorter<'main' | 'uploads'>({
    headMilliseconds: HEAD_MILLISECONDS,
    sort: (bytes) => {
      const side = sortConnection(bytes);
      if (side === 'more') return side;
      return beginsWithUpload(bytes) ? 'uploads' : 'main';
    },
    take: (side, socket, bytes) => {
      if (side === 'uploads' && stopReading(socket)) {
        takeUpload(socket, bytes);
        return;
      }
      socket.unshift(bytes);
      http.emit('connection', socket);
      socket.resume();
    },
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => sorter.add(socket));
  return {
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        sorter.closeAll();
        guard.closeAll();
      }),
  };
}
