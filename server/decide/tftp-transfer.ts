import { TFTP_ERROR, type TftpErrorCode, type TftpOption } from '../wire/tftp/packet.js';
import type { TransferTerms } from './tftp-negotiate.js';

/** How long a silent client is waited for. Times are milliseconds. */
export interface TransferTiming {
  /** Before the round trip has been measured. */
  readonly first: number;
  /** What is waited beyond the usual round trip at least: computers pause. */
  readonly margin: number;
  /** Doubling stops here. */
  readonly longest: number;
  /** Resends in a row to a client that has answered. */
  readonly resends: number;
  /** To one that has not: its address may be forged, and the packets hit somebody else. */
  readonly resendsUnanswered: number;
}

/** A client that asked for an interval of up to 255 s and never answered must not keep its transfer for a quarter of an hour. */
const UNANSWERED_LONGEST = 10_000;
/** So many resends of the first blocks, and it is no accident any more: they do not fit through the path. */
const SUSPICIOUS_RESENDS = 5;
/** Every path carries blocks of this many bytes (RFC 1350), so smaller ones are not suspected. */
const ALWAYS_FITS = 512;

export const TRANSFER_TIMING: TransferTiming = {
  first: 1000,
  margin: 20,
  longest: 4000,
  resends: 10,
  resendsUnanswered: 3,
};

/**
 * One file on its way to one client. Blocks are counted from 1 without end; the packet carries the lower 16 bits (after 65,535
 * comes 0, as all clients that take large files expect). The OACK counts as block 0.
 *
 * More than 300 lines: one state machine, whose rules refer to each other. A step changes it in place: a thousand machines in lock-step send 200,000 ACKs a second, and a new value for each cost a third of
 * the processor time of all of it.
 */
export interface TransferState {
  readonly terms: TransferTerms;
  readonly timing: TransferTiming;
  /** Bytes. */
  readonly size: number;
  /** The block that ends the file: shorter than the others, empty when the size is a multiple of the block size. */
  readonly lastBlock: number;
  /** The newest block that the client has; -1 = its OACK is not answered yet. */
  acknowledged: number;
  /** The newest block sent. */
  sent: number;
  /** Blocks up to here were sent a second time: what the client says of them may be an answer to the first time. */
  repeatedTo: number;
  answered: boolean;
  /** In a row, since the last news from the client. */
  resends: number;
  /** When `sent` went out. */
  sentAt: number;
  /** When the client has been silent for too long; a `timeout` event is due then. */
  deadline: number;
  /** The usual round trip and how far it varies, ms (RFC 6298); -1 = not measured yet. */
  roundTrip: number;
  variation: number;
  /** ACKs that blocks sent a second time may cause, and until when they are expected. */
  echoes: number;
  echoesUntil: number;
  /** The newest block that the client had when its repeated ACK was believed. */
  hurriedAt: number;
  /** The blocks seem to be too large for the path. */
  suspected: boolean;
  /** Why the last datagram could not be sent, if it could not. */
  sendProblem: string | undefined;
}

/** `at`: milliseconds on any clock that never goes back. */
export type TransferEvent =
  | { readonly kind: 'start'; readonly at: number }
  | { readonly kind: 'ack'; readonly block: number; readonly at: number }
  | { readonly kind: 'timeout'; readonly at: number }
  /** The blocks of the last step go out only now: the disk was slow. */
  | { readonly kind: 'sent-late'; readonly at: number }
  /** The client's ERROR packet. */
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  /** The operating system refused a datagram. Counts as lost on the way, but says why. */
  | { readonly kind: 'send-failed'; readonly reason: string }
  /** We end it: the file cannot be read, the server stops. `silent`: the client has left, or waits for another answer by now. */
  | { readonly kind: 'abandon'; readonly reason: string; readonly silent?: boolean };

export type TransferOutcome = 'sent' | 'probed' | 'failed';

/** To be carried out in their order. */
export type TransferAction =
  | { readonly kind: 'send-oack'; readonly options: readonly TftpOption[] }
  /** Blocks `first` to `first + count - 1`. */
  | { readonly kind: 'send-data'; readonly first: number; readonly count: number }
  | { readonly kind: 'send-error'; readonly code: TftpErrorCode; readonly message: string }
  /** What is now believed of the path: whether it carries blocks of this size (bytes). */
  | { readonly kind: 'path'; readonly blockSize: number; readonly fits: boolean }
  | { readonly kind: 'end'; readonly outcome: TransferOutcome; readonly reason?: string };

const NOTHING: readonly TransferAction[] = [];

export function newTransfer(terms: TransferTerms, size: number, timing = TRANSFER_TIMING): TransferState {
  return {
    terms,
    timing,
    size,
    lastBlock: Math.floor(size / terms.blockSize) + 1,
    acknowledged: terms.accepted.length > 0 ? -1 : 0,
    sent: terms.accepted.length > 0 ? -1 : 0,
    repeatedTo: 0,
    answered: false,
    resends: 0,
    sentAt: 0,
    deadline: 0,
    roundTrip: -1,
    variation: 0,
    echoes: 0,
    echoesUntil: 0,
    hurriedAt: -1,
    suspected: false,
    sendProblem: undefined,
  };
}

/** Bytes that the client has confirmed. */
export function confirmedBytes({ acknowledged, terms, size }: TransferState): number {
  return Math.min(Math.max(acknowledged, 0) * terms.blockSize, size);
}

/** What to do after this event, in this order; the state has taken notice of it. */
export function stepTransfer(state: TransferState, event: TransferEvent): readonly TransferAction[] {
  switch (event.kind) {
    case 'start':
      return sendNext(state, event.at);
    case 'ack':
      return acknowledge(state, event.block, event.at);
    case 'timeout':
      return resend(state, event.at);
    case 'sent-late':
      state.sentAt = event.at;
      state.deadline = event.at + timeoutOf(state);
      return NOTHING;
    case 'error':
      return clientError(state, event.code, event.message);
    case 'send-failed':
      state.sendProblem = event.reason;
      return NOTHING;
    case 'abandon':
      return abandon(event.reason, event.silent === true);
  }
}

/**
 * The plain case, which nearly all packets of a room are: in lock-step, the one block under way is acknowledged, and another follows.
 * The block to send now; 0 = anything else, and nothing has changed: `stepTransfer` knows. The same as that does, without its objects,
 * which were a tenth of what a block costs.
 */
export function nextInLockStep(state: TransferState, block: number, at: number): number {
  const { terms, acknowledged, sent, lastBlock, suspected } = state;
  if (terms.windowSize !== 1 || acknowledged < 0 || sent !== acknowledged + 1 || sent === lastBlock || suspected)
    return 0;
  if (block !== (sent & 0xffff)) return 0;
  confirm(state, 1, at);
  state.sent = sent + 1;
  state.sentAt = at;
  state.deadline = at + timeoutOf(state);
  return state.sent;
}

function abandon(reason: string, silent: boolean): readonly TransferAction[] {
  const end: TransferAction = { kind: 'end', outcome: 'failed', reason };
  return silent ? [end] : [{ kind: 'send-error', code: TFTP_ERROR.notDefined, message: reason }, end];
}

/** Only an ACK of a block that is on its way moves the transfer; of the others, few cause anything. */
function acknowledge(state: TransferState, block: number, at: number): readonly TransferAction[] {
  const ahead = (block - state.acknowledged) & 0xffff;
  if (ahead === 0) return repeatedAck(state, at);
  if (ahead > state.sent - state.acknowledged) return NOTHING;
  confirm(state, ahead, at);
  if (!state.suspected || state.acknowledged === 0) return afterAck(state, at);
  state.suspected = false;
  return [{ kind: 'path', blockSize: state.terms.blockSize, fits: true }, ...afterAck(state, at)];
}

/** The client has so many blocks more. */
function confirm(state: TransferState, blocks: number, at: number): void {
  state.acknowledged += blocks;
  // A resent block does not tell which of its sendings was answered (Karn's rule).
  if (state.resends === 0 && (state.acknowledged > state.repeatedTo || state.repeatedTo === 0)) {
    measure(state, at - state.sentAt);
  }
  state.answered = true;
  state.resends = 0;
  state.sendProblem = undefined;
}

/** RFC 6298, section 2. */
function measure(state: TransferState, sample: number): void {
  if (state.roundTrip < 0) {
    state.roundTrip = sample;
    state.variation = sample / 2;
    return;
  }
  state.variation = state.variation * 0.75 + Math.abs(state.roundTrip - sample) * 0.25;
  state.roundTrip = state.roundTrip * 0.875 + sample * 0.125;
}

function afterAck(state: TransferState, at: number): readonly TransferAction[] {
  if (state.acknowledged === state.lastBlock) return [{ kind: 'end', outcome: 'sent' }];
  if (state.acknowledged === state.sent) return sendNext(state, at);
  return state.acknowledged < state.repeatedTo ? sendMore(state, at) : sendAgain(state, at);
}

/**
 * The client says again what it has. In lock-step that causes nothing, or a doubled packet would double all that follow (RFC 1123,
 * section 4.2.3.1); what got lost is resent by the timer, and only where that waits long by now the client may hurry it. With
 * windows it means that the first block of the window got lost, and to wait for the timer would cost several round trips. But
 * clients say it, too, for each block that comes twice: such echoes are not believed, and never the same ACK a third time.
 */
function repeatedAck(state: TransferState, at: number): readonly TransferAction[] {
  const { acknowledged, roundTrip } = state;
  if (acknowledged < 0 || roundTrip < 0 || state.sent === acknowledged) return NOTHING;
  const waited = at - state.sentAt;
  if (state.terms.windowSize === 1) return waited < timeoutOf(state, 0) ? NOTHING : sendAgain(state, at);
  if (state.echoes > 0 && at <= state.echoesUntil) {
    state.echoes -= 1;
    return NOTHING;
  }
  if (state.hurriedAt === acknowledged || waited < roundTrip / 4) return NOTHING;
  state.hurriedAt = acknowledged;
  return sendAgain(state, at);
}

function resend(state: TransferState, at: number): readonly TransferAction[] {
  if (state.resends < resendLimit(state)) {
    state.resends += 1;
    return sendAgain(state, at);
  }
  if (state.answered && state.sent === state.lastBlock) {
    // Clients leave as soon as they have the last block, so its ACK is sent once; when that one got lost, nobody repeats it.
    return [{ kind: 'end', outcome: 'sent', reason: 'the last block was not acknowledged' }];
  }
  const waitingFor =
    state.acknowledged < 0 ? 'the option answer' : `block ${state.acknowledged + 1} of ${state.lastBlock}`;
  const problem = state.sendProblem === undefined ? '' : ` (could not be sent: ${state.sendProblem})`;
  const reason = `no answer to ${waitingFor} after ${state.resends + 1} attempts${problem}`;
  return [{ kind: 'end', outcome: 'failed', reason }];
}

/**
 * Firmware asks for the size first: it reads the OACK and stops there with error 8 (OVMF) or 0 (BIOS ROMs: "TFTP Aborted"), then
 * asks again for the file. Error 8 is also how a client refuses our options (RFC 2347) before it asks without them.
 */
function clientError(state: TransferState, code: number, message: string): readonly TransferAction[] {
  const sizeGiven = state.terms.accepted.some(({ name }) => name.toLowerCase() === 'tsize');
  const isProbe =
    state.acknowledged < 0 && (code === TFTP_ERROR.optionRefused || (code === TFTP_ERROR.notDefined && sizeGiven));
  if (isProbe) return [{ kind: 'end', outcome: 'probed' }];
  const words = message === '' ? '' : `: ${message}`;
  return [{ kind: 'end', outcome: 'failed', reason: `the client stopped with error ${code}${words}` }];
}

/**
 * The client waits for a window that starts after its newest block (RFC 7440, section 4). Once a window only: the blocks that it has
 * by now come a second time, each of them makes it repeat its ACK, and sending again for each of those would never end.
 */
function sendAgain(state: TransferState, at: number): readonly TransferAction[] {
  const tooLarge = !state.suspected && looksTooLarge(state);
  state.echoes = Math.max(state.sent - state.acknowledged, 0);
  state.echoesUntil = at + 2 * Math.max(state.roundTrip, 0) + state.timing.margin;
  const actions = sendNext(state, at);
  state.repeatedTo = state.sent;
  if (!tooLarge) return actions;
  state.suspected = true;
  return [{ kind: 'path', blockSize: state.terms.blockSize, fits: false }, ...actions];
}

/** The OACK came through and was answered, but of the blocks, which are larger, not one was. */
function looksTooLarge({ acknowledged, answered, resends, terms, size }: TransferState): boolean {
  const largest = Math.min(terms.blockSize, size);
  return answered && acknowledged === 0 && resends >= SUSPICIOUS_RESENDS && largest > ALWAYS_FITS;
}

/** The client's window has moved, so it waits for blocks that were not sent at all. */
function sendMore(state: TransferState, at: number): readonly TransferAction[] {
  state.deadline = at + timeoutOf(state);
  const to = Math.min(state.acknowledged + state.terms.windowSize, state.lastBlock);
  const first = state.sent + 1;
  if (to < first) return NOTHING;
  state.sent = to;
  state.sentAt = at;
  return [{ kind: 'send-data', first, count: to - first + 1 }];
}

/** The OACK, or the window after the newest acknowledged block. */
function sendNext(state: TransferState, at: number): readonly TransferAction[] {
  state.sentAt = at;
  state.deadline = at + timeoutOf(state);
  if (state.acknowledged < 0) {
    state.sent = 0;
    return [{ kind: 'send-oack', options: state.terms.accepted }];
  }
  const { acknowledged } = state;
  state.sent = Math.min(acknowledged + state.terms.windowSize, state.lastBlock);
  return [{ kind: 'send-data', first: acknowledged + 1, count: state.sent - acknowledged }];
}

/** The client's own interval if it asked for one (RFC 2349: without back-off), else from the measured round trip, doubled each time. */
function timeoutOf(state: TransferState, resends = state.resends): number {
  const { terms, timing, roundTrip, variation, answered } = state;
  if (terms.timeoutSeconds !== undefined) {
    const asked = terms.timeoutSeconds * 1000;
    return answered ? asked : Math.min(asked, UNANSWERED_LONGEST);
  }
  const base = roundTrip < 0 ? timing.first : roundTrip + Math.max(4 * variation, timing.margin);
  return Math.min(base * 2 ** resends, timing.longest);
}

function resendLimit({ answered, timing, terms }: TransferState): number {
  if (!answered) {
    const interval = (terms.timeoutSeconds ?? 0) * 1000;
    const fitting = interval === 0 ? timing.resendsUnanswered : Math.floor(UNANSWERED_LONGEST / interval);
    return Math.min(timing.resendsUnanswered, fitting);
  }
  // An interval of up to 255 s must not keep a dead transfer for half an hour.
  if (terms.timeoutSeconds !== undefined)
    return Math.max(2, Math.min(timing.resends, Math.floor(60 / terms.timeoutSeconds)));
  return timing.resends;
}
