import type { Socket } from 'node:net';
import type { AnswerBoot, BootAnswer, Requester } from '../boot/contract.js';
import { sortConnection } from './image-url.js';
import { readScriptRequest, type ScriptRequest, scriptAnswer } from './script-answer.js';
import { beginsWithUpload } from './upload-url.js';

export interface FirstRequestsDeps {
  /** For a connection to send the head of its next request. */
  readonly headMilliseconds: number;
  readonly answerBoot: AnswerBoot;
  /** Who asks for a script. `client`: what nginx says of it. undefined = the main server answers. */
  readonly requesterOf: (socket: Socket, client: string | undefined) => Requester | undefined;
  /** Gets the paused connection, all of whose answers are in the kernel, and what was read from it. */
  readonly take: (side: 'images' | 'uploads' | 'main', socket: Socket, bytes: Buffer) => void;
  /** A script could not be made: a fault of ours. The connection is closed. */
  readonly failed: (error: unknown, path: string) => void;
}

/** Answers in one turn; a client that sends its requests by the thousand must not hold up the others. */
const AT_ONCE = 16;

/**
 * Reads a new connection up to the first request that belongs to somebody else, and answers the scripts before it (ADR 6). Answers
 * that need not wait for the disk are made and sent at once, those of one turn together: a promise, a pause and a write for each
 * request cost as much as the rest. `ended`: the connection was given away or has closed.
 */
export function readFirstRequests(socket: Socket, deps: FirstRequestsDeps, ended: () => void): void {
  const { headMilliseconds, answerBoot, requesterOf, take } = deps;
  let bytes: Buffer = Buffer.alloc(0);
  /** Answers that are not written yet. */
  let out = '';
  /** Something else must happen first: what comes meanwhile is kept. */
  let busy = false;
  const giveUp = (): void => {
    socket.destroy();
  };
  /** The client asks nothing more, but may read on (RFC 9112, section 9.6). */
  const onEnd = (): void => socket.destroySoon();
  // For each request of it. Browsers open connections that they may need later; they do not mind when those are closed.
  const timer = setTimeout(giveUp, headMilliseconds);
  const done = (): void => {
    clearTimeout(timer);
    socket.off('data', onData).off('end', onEnd).off('error', giveUp).off('close', done);
    ended();
  };
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    if (!busy) look();
  };
  socket.on('data', onData).on('end', onEnd).on('error', giveUp).on('close', done);

  function look(): void {
    for (let answered = 0; ; answered++) {
      const kind = sortConnection(bytes);
      const request = kind === 'script' ? readScriptRequest(bytes) : undefined;
      if (kind === 'more' || request === 'more') break;
      const requester =
        request === undefined || request === 'unusual' ? undefined : requesterOf(socket, request.client);
      if (request === undefined || request === 'unusual' || requester === undefined) {
        afterFlush(() => giveAway(kind === 'images' ? kind : beginsWithUpload(bytes) ? 'uploads' : 'main'));
        return;
      }
      if (answered === AT_ONCE) {
        write();
        if (busy) return;
        wait();
        setImmediate(goOn);
        return;
      }
      bytes = bytes.subarray(request.length);
      if (!answerOne(request, requester)) return;
      if (bytes.length === 0) break;
    }
    write();
  }

  /** False = what follows this request must wait, or is not read at all. */
  function answerOne(request: ScriptRequest, requester: Requester): boolean {
    let file: BootAnswer | Promise<BootAnswer>;
    try {
      file = answerBoot(request.path, requester);
    } catch (error) {
      fail(error, request);
      return false;
    }
    timer.refresh();
    if (!(file instanceof Promise)) return answer(request, file);
    wait();
    file
      .then((found) => {
        if (!socket.destroyed && answer(request, found)) goOn();
      })
      .catch((error: unknown) => fail(error, request));
    return false;
  }

  function answer(request: ScriptRequest, file: BootAnswer): boolean {
    out += scriptAnswer(request, file);
    if (request.keep) return true;
    // What comes behind the last request of a connection is not answered (RFC 9112, section 9.6).
    socket.off('data', onData);
    const text = out;
    out = '';
    socket.end(text, encodingOf(text));
    socket.resume();
    return false;
  }

  function fail(error: unknown, { path }: ScriptRequest): void {
    deps.failed(error, path);
    // Those before it were answered.
    socket.off('data', onData);
    socket.write(out, encodingOf(out));
    socket.destroySoon();
  }

  function wait(): void {
    busy = true;
    socket.pause();
  }

  function goOn(): void {
    if (socket.destroyed) return;
    busy = false;
    timer.refresh();
    socket.resume();
    look();
  }

  /** A client that takes nothing is asked nothing more. */
  function write(): void {
    if (out === '') return;
    const text = out;
    out = '';
    if (socket.write(text, encodingOf(text)) || busy) return;
    wait();
    socket.once('drain', goOn);
  }

  /** Whoever gets the connection writes to it: nothing of ours may be left in Node then. */
  function afterFlush(next: () => void): void {
    write();
    if (socket.writableLength === 0) {
      next();
      return;
    }
    socket.removeListener('drain', goOn);
    wait();
    socket.write('', (error) => {
      if (error === null || error === undefined) next();
    });
  }

  function giveAway(side: 'images' | 'uploads' | 'main'): void {
    if (socket.destroyed) return;
    done();
    socket.pause();
    take(side, socket, bytes);
  }
}

/** Scripts are ASCII but for what people write into templates; one byte a letter is the faster way. */
function encodingOf(text: string): 'latin1' | 'utf8' {
  return Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8';
}
