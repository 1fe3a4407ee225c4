import { TFTP_ERROR, type TftpErrorCode, type TftpOption } from '../wire/tftp/packet.js';
import type { TransferTerms } from './tftp-negotiate.js';

/** How long a silent client is waited for. Times are milliseconds. */
export interface TransferTiming {
  /** Before the round trip has been measured. */
  readonly first: number;
  /** A measured time-out is never shorter: a client may be busy writing. */
  readonly shortest: number;
  /** Doubling stops here. */
  readonly longest: number;
  /** Resends in a row to a client that has answered. */
  readonly resends: number;
  /** To one that has not: its address may be forged, and the packets hit somebody else. */
  readonly resendsUnanswered: number;
}

/** A client that asked for an interval of up to 255 s and never answered must not keep its transfer for a quarter of an hour. */
const UNANSWERED_LONGEST = 10_000;

export const TRANSFER_TIMING: TransferTiming = {
  first: 1000,
  shortest: 100,
  longest: 4000,
  resends: 8,
  resendsUnanswered: 3,
};

/**
 * One file on its way to one client. Blocks are counted from 1 without end; the packet carries the lower 16 bits (after 65,535
 * comes 0, as all clients that take large files expect). The OACK counts as block 0.
 */
export interface TransferState {
  readonly terms: TransferTerms;
  readonly timing: TransferTiming;
  /** Bytes. */
  readonly size: number;
  /** The block that ends the file: shorter than the others, empty when the size is a multiple of the block size. */
  readonly lastBlock: number;
  /** The newest block that the client has; -1 = its OACK is not answered yet. */
  readonly acknowledged: number;
  /** The newest block sent. */
  readonly sent: number;
  /** Blocks up to here were sent a second time: what the client says of them may be an answer to the first time. */
  readonly repeatedTo: number;
  readonly answered: boolean;
  /** In a row, since the last news from the client. */
  readonly resends: number;
  /** When `sent` went out. */
  readonly sentAt: number;
  readonly roundTrip?: { readonly smoothed: number; readonly variance: number };
  /** Why the last datagram could not be sent, if it could not. */
  readonly sendProblem?: string;
}

/** `at`: milliseconds on any clock that never goes back. */
export type TransferEvent =
  | { readonly kind: 'start'; readonly at: number }
  | { readonly kind: 'ack'; readonly block: number; readonly at: number }
  | { readonly kind: 'timeout'; readonly at: number }
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
  /** Replaces the timer that runs. */
  | { readonly kind: 'set-timer'; readonly milliseconds: number }
  | { readonly kind: 'end'; readonly outcome: TransferOutcome; readonly reason?: string };

export interface TransferStep {
  readonly state: TransferState;
  readonly actions: readonly TransferAction[];
}

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
  };
}

/** Bytes that the client has confirmed. */
export function confirmedBytes({ acknowledged, terms, size }: TransferState): number {
  return Math.min(Math.max(acknowledged, 0) * terms.blockSize, size);
}

export function stepTransfer(state: TransferState, event: TransferEvent): TransferStep {
  switch (event.kind) {
    case 'start':
      return sendNext(state, event.at);
    case 'ack':
      return acknowledge(state, event.block, event.at);
    case 'timeout':
      return resend(state, event.at);
    case 'error':
      return clientError(state, event.code, event.message);
    case 'send-failed':
      return { state: { ...state, sendProblem: event.reason }, actions: [] };
    case 'abandon':
      return { state, actions: abandon(event.reason, event.silent === true) };
  }
}

function abandon(reason: string, silent: boolean): readonly TransferAction[] {
  const end: TransferAction = { kind: 'end', outcome: 'failed', reason };
  return silent ? [end] : [{ kind: 'send-error', code: TFTP_ERROR.notDefined, message: reason }, end];
}

/**
 * Only an ACK of a block that is on its way moves the transfer. Any other is a duplicate or out of order and causes nothing: to
 * answer it with data would double every packet from there on (RFC 1123, section 4.2.3.1, "Sorcerer's Apprentice"). What got
 * lost is resent by the timer alone.
 */
function acknowledge(state: TransferState, block: number, at: number): TransferStep {
  const ahead = (block - state.acknowledged) & 0xffff;
  if (ahead === 0 || ahead > state.sent - state.acknowledged) return { state, actions: [] };
  const acknowledged = state.acknowledged + ahead;
  // A resent block does not tell which of its sendings was answered (Karn's rule).
  const measured = state.resends === 0 ? measure(state, at - state.sentAt) : undefined;
  const { sendProblem: _, ...rest } = state;
  const next: TransferState = {
    ...rest,
    acknowledged,
    answered: true,
    resends: 0,
    ...(measured === undefined ? {} : { roundTrip: measured }),
  };
  if (acknowledged === next.lastBlock) return { state: next, actions: [{ kind: 'end', outcome: 'sent' }] };
  if (acknowledged === next.sent) return sendNext(next, at);
  return acknowledged < next.repeatedTo ? sendMore(next, at) : sendAgain(next, at);
}

function resend(state: TransferState, at: number): TransferStep {
  if (state.resends < resendLimit(state)) return sendAgain({ ...state, resends: state.resends + 1 }, at);
  if (state.answered && state.sent === state.lastBlock) {
    // Clients leave as soon as they have the last block, so its ACK is sent once; when that one got lost, nobody repeats it.
    return { state, actions: [{ kind: 'end', outcome: 'sent', reason: 'the last block was not acknowledged' }] };
  }
  const waitingFor =
    state.acknowledged < 0 ? 'the option answer' : `block ${state.acknowledged + 1} of ${state.lastBlock}`;
  const problem = state.sendProblem === undefined ? '' : ` (could not be sent: ${state.sendProblem})`;
  const reason = `no answer to ${waitingFor} after ${state.resends + 1} attempts${problem}`;
  return { state, actions: [{ kind: 'end', outcome: 'failed', reason }] };
}

/**
 * Firmware asks for the size first: it reads the OACK and stops there with error 8 (OVMF) or 0 (BIOS ROMs: "TFTP Aborted"), then
 * asks again for the file. Error 8 is also how a client refuses our options (RFC 2347) before it asks without them.
 */
function clientError(state: TransferState, code: number, message: string): TransferStep {
  const sizeGiven = state.terms.accepted.some(({ name }) => name.toLowerCase() === 'tsize');
  const isProbe =
    state.acknowledged < 0 && (code === TFTP_ERROR.optionRefused || (code === TFTP_ERROR.notDefined && sizeGiven));
  if (isProbe) return { state, actions: [{ kind: 'end', outcome: 'probed' }] };
  const words = message === '' ? '' : `: ${message}`;
  return {
    state,
    actions: [{ kind: 'end', outcome: 'failed', reason: `the client stopped with error ${code}${words}` }],
  };
}

/**
 * An ACK from inside the window: a block after it got lost, and the client waits for a window that starts there (RFC 7440,
 * section 4). Once a window only: the blocks that it has by now come a second time, each of them makes it repeat its ACK, and
 * sending again for each of those would never end.
 */
function sendAgain(state: TransferState, at: number): TransferStep {
  const step = sendNext(state, at);
  return { ...step, state: { ...step.state, repeatedTo: step.state.sent } };
}

/** The client's window has moved, so it waits for blocks that were not sent at all. */
function sendMore(state: TransferState, at: number): TransferStep {
  const to = Math.min(state.acknowledged + state.terms.windowSize, state.lastBlock);
  const timer: TransferAction = { kind: 'set-timer', milliseconds: timeoutOf(state) };
  if (to <= state.sent) return { state, actions: [timer] };
  const data: TransferAction = { kind: 'send-data', first: state.sent + 1, count: to - state.sent };
  return { state: { ...state, sent: to, sentAt: at }, actions: [data, timer] };
}

/** The OACK, or the window after the newest acknowledged block. */
function sendNext(state: TransferState, at: number): TransferStep {
  const timer: TransferAction = { kind: 'set-timer', milliseconds: timeoutOf(state) };
  if (state.acknowledged < 0) {
    const { accepted } = state.terms;
    return { state: { ...state, sent: 0, sentAt: at }, actions: [{ kind: 'send-oack', options: accepted }, timer] };
  }
  const first = state.acknowledged + 1;
  const sent = Math.min(state.acknowledged + state.terms.windowSize, state.lastBlock);
  return {
    state: { ...state, sent, sentAt: at },
    actions: [{ kind: 'send-data', first, count: sent - state.acknowledged }, timer],
  };
}

/** The client's own interval if it asked for one (RFC 2349: without back-off), else from the measured round trip, doubled each time. */
function timeoutOf({ terms, timing, roundTrip, resends, answered }: TransferState): number {
  if (terms.timeoutSeconds !== undefined) {
    const asked = terms.timeoutSeconds * 1000;
    return answered ? asked : Math.min(asked, UNANSWERED_LONGEST);
  }
  const measured = roundTrip === undefined ? timing.first : roundTrip.smoothed + 4 * roundTrip.variance;
  const base = Math.max(Math.ceil(measured), timing.shortest);
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

/** RFC 6298, section 2. */
function measure({ roundTrip }: TransferState, sample: number): { smoothed: number; variance: number } {
  if (roundTrip === undefined) return { smoothed: sample, variance: sample / 2 };
  return {
    smoothed: roundTrip.smoothed * 0.875 + sample * 0.125,
    variance: roundTrip.variance * 0.75 + Math.abs(roundTrip.smoothed - sample) * 0.25,
  };
}
