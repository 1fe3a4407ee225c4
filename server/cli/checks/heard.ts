import type { z } from 'zod';
import { networkSchema, readAnswer } from '../api-schema.js';
import type { ApiClient } from '../client.js';
import { failureOf } from '../failure.js';
import { type Check, ok, skipped, warning } from './check.js';

type Fact = z.output<typeof networkSchema>['items'][number];

const LABEL = 'network';
/** Named in one line at most; the rest is counted. */
const NAMED = 4;

/** What the running server has heard since its start: more than one question on the wire can tell. */
export async function heardCheck(api: Pick<ApiClient, 'get'>): Promise<Check> {
  try {
    return judgeHeard(readAnswer(networkSchema, await api.get('/network'), 'network').items);
  } catch (error) {
    return skipped(LABEL, `what the server heard is not known: ${failureOf(error).message}`);
  }
}

export function judgeHeard(facts: readonly Fact[]): Check {
  if (facts.length === 0) return ok(LABEL, 'the server heard no other DHCP server and no relay since its start');
  const named = facts.slice(0, NAMED).map(({ kind, address, interface: name, count }) => {
    const what = kind === 'network' ? 'relay of an unknown network' : kind === 'server' ? 'DHCP server' : kind;
    return `${what} ${address ?? ''} on ${name} (${count}×)`.replace('  ', ' ');
  });
  const more = facts.length > NAMED ? `, and ${facts.length - NAMED} more` : '';
  const text = `the server heard: ${named.join(', ')}${more}`;
  const isStrange = facts.some(({ kind }) => kind === 'network');
  return isStrange
    ? warning(LABEL, text, 'see anybios lease network; a relay of an unknown network needs a subnet of its own')
    : ok(LABEL, text);
}
