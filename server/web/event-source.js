import { ApiError, request } from './api.js';

const LONGEST_PAUSE = 10_000;

/**
 * Follows /events/stream for ever: EventSource cannot send the token, so this reads the stream itself and resumes with
 * Last-Event-ID. `onState` hears `opening`, `live` and `lost`; `onOpen` is called whenever the stream begins (anew).
 * Ends when `signal` is aborted, and with an ApiError 401 when the token is refused.
 */
export async function followEvents({ signal, onEvent, onOpen, onState }) {
  let last;
  let pause = 500;
  onState('opening');
  while (!signal.aborted) {
    try {
      const headers = last === undefined ? {} : { 'Last-Event-ID': last };
      const response = await request('/events/stream', { headers, signal });
      onState('live');
      onOpen();
      pause = 500;
      for await (const { id, data } of messages(response.body)) {
        last = id ?? last;
        onEvent(JSON.parse(data));
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status === 401) throw error;
    }
    onState('lost');
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

/** Parses server-sent events: blocks parted by an empty line; lines that begin with a colon are comments. */
async function* messages(body) {
  let rest = '';
  for await (const chunk of chunks(body.pipeThrough(new TextDecoderStream()))) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const message = { id: undefined, data: '' };
      for (const line of block.split('\n')) {
        if (line.startsWith('id: ')) message.id = line.slice(4);
        else if (line.startsWith('data: ')) message.data += line.slice(6);
      }
      if (message.data !== '') yield message;
    }
  }
}

/** Not every browser can iterate a stream with `for await`. */
async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
