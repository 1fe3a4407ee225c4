import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { ConnectionGuard } from './connection-guard.js';
import { createImageServer } from './serve-image.js';
import type { FromStream, ToStream } from './stream-messages.js';

// The process that streams images. Its connections were accepted by the main process, which hands over the socket and what it read
// from it. It lives as long as the main process does.

const IDLE_MILLISECONDS = 15_000;
const NO_PROGRESS_MILLISECONDS = 60_000;

const tell = (message: FromStream): void => {
  // False while the main process is busy: the message waits then. Without it there is nobody to tell.
  if (process.connected) process.send?.(message);
};

const server = createServer({ keepAlive: true, keepAliveTimeout: IDLE_MILLISECONDS });
const guard = new ConnectionGuard(server, IDLE_MILLISECONDS);
server.timeout = NO_PROGRESS_MILLISECONDS;

process.on('message', (message: ToStream, socket: unknown) => {
  if (message.kind === 'settings') {
    const serve = createImageServer({ imagesDir: message.imagesDir, report: tell });
    server.on('request', (request, response) => {
      serve(request, response).catch((error: unknown) => {
        console.error('image download', error);
        response.destroy();
      });
    });
    tell({ kind: 'ready' });
    return;
  }
  // The client may have gone on the way here; then there is no socket.
  if (!(socket instanceof Socket)) return;
  socket.unshift(Buffer.from(message.first, 'base64'));
  server.emit('connection', socket);
});

process.on('disconnect', () => guard.closeAll());
// Ctrl-C and systemd signal the whole group; the main process ends first, in its own order.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
