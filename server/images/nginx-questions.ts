import type { Socket } from 'node:net';
import type { MaybePromise } from '../domain/maybe-promise.js';
import type { ImageQuestion, NginxAnswer } from './nginx-answers.js';
import { CLIENT_HEADER } from './nginx-config.js';

/** nginx itself reads at most 32 KiB of a client's head, and passes three fields of it on. */
const MOST = 32_768;
const LINE = /^([A-Z]{1,16}) (\S+) HTTP\/1\.1$/;

/**
 * Answers our own nginx, which asks for every image that it is asked for, on connections that it keeps. It sends a request line and the
 * fields that nginx-config.ts names, one request at a time, and nobody else can connect: Node's HTTP server, which reads all of HTTP and
 * guards against whoever speaks it badly, took half of what nginx lost by asking.
 */
export function answerQuestions(socket: Socket, answer: (question: ImageQuestion) => MaybePromise<NginxAnswer>): void {
  let waiting = '';
  let busy = false;
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    waiting += text;
    next();
  });
  // It has closed the connection: there is nobody to tell.
  socket.on('error', () => socket.destroy());

  function next(): void {
    if (busy) return;
    const end = waiting.indexOf('\r\n\r\n');
    if (end < 0) {
      if (waiting.length > MOST) socket.destroy();
      return;
    }
    const question = readQuestion(waiting.slice(0, end));
    waiting = waiting.slice(end + 4);
    if (question === undefined) {
      socket.destroy();
      return;
    }
    const made = answer(question);
    if (!(made instanceof Promise)) {
      socket.write(written(made, question), 'latin1');
      if (waiting !== '') next();
      return;
    }
    busy = true;
    made.then(
      (late) => {
        busy = false;
        socket.write(written(late, question), 'latin1');
        next();
      },
      (error: unknown) => {
        console.error('image download', error);
        socket.destroy();
      },
    );
  }
}

function readQuestion(head: string): ImageQuestion | undefined {
  const [first = '', ...fields] = head.split('\r\n');
  const [, method, target] = LINE.exec(first) ?? [];
  if (method === undefined || target === undefined) return undefined;
  let address = '';
  let range: string | undefined;
  let acceptEncoding: string | undefined;
  for (const field of fields) {
    const colon = field.indexOf(':');
    const name = field.slice(0, colon).toLowerCase();
    const value = field.slice(colon + 1).trim();
    if (name === CLIENT_HEADER) address = value;
    else if (name === 'range') range = value;
    else if (name === 'accept-encoding') acceptEncoding = value;
  }
  return { method, target, range, acceptEncoding, address };
}

/** As Latin-1: what is not ASCII in a body is written in bytes of UTF-8 before. */
function written({ status, reason, head, body }: NginxAnswer, { method }: ImageQuestion): string {
  const bytes = Buffer.from(body).toString('latin1');
  let text = `HTTP/1.1 ${status} ${reason}\r\n`;
  for (let i = 0; i < head.length; i += 2) text += `${head[i]}: ${head[i + 1]}\r\n`;
  return `${text}Content-Length: ${bytes.length}\r\n\r\n${method === 'HEAD' ? '' : bytes}`;
}
