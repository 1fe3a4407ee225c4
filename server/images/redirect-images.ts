import type { IncomingMessage, ServerResponse } from 'node:http';
import { isStreamed } from './image-url.js';

/**
 * Where a connection goes is decided by its first request. A later one for the other side is sent back to the same URL on a new
 * connection: iPXE, wget and browsers follow, and the new connection is sorted anew.
 */
export function redirectHere(request: IncomingMessage, response: ServerResponse): void {
  const target = 'originalUrl' in request ? String(request.originalUrl) : (request.url ?? '');
  response.setHeader('Connection', 'close');
  const path = target.replace(/^https?:\/\/[^/?#]+/i, '');
  // `//name` would be a redirect to another server (RFC 3986, section 4.2), and browsers read `/\name` as the same.
  const canFollow = (request.method === 'GET' || request.method === 'HEAD') && /^\/(?![/\\])/.test(path);
  const body = 'ask for this on a new connection\n';
  response
    .writeHead(canFollow ? 307 : 421, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      ...(canFollow ? { Location: path } : {}),
    })
    .end(body);
}

/**
 * For the main server, before its own routes: a request for an image or a boot file that comes on a kept-alive connection. Mount it without a path.
 * Requests over the unix socket are passed on: there the front does not sort, and a redirect would lead back here.
 */
export function redirectImages(request: IncomingMessage, response: ServerResponse, next: () => void): void {
  const reading = request.method === 'GET' || request.method === 'HEAD';
  const target = 'originalUrl' in request ? String(request.originalUrl) : (request.url ?? '');
  if (reading && request.socket.remoteAddress !== undefined && isStreamed(target)) {
    redirectHere(request, response);
  } else next();
}
