import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import { DEFAULT_LEASE_SECONDS, SHORTEST_LEASE_SECONDS, type Spares } from '../domain/standby.js';
import { parsed, strict } from '../yaml/schema.js';
import { parseSeconds } from './text-forms.js';

// `spares` and `spareLease` of a role (docs/systems.md, "Spares and moves").

const FORMS = '[node9, node10] | {machines: [node9], labels: {pool: spare}}';

/** `name` and `labels` as everywhere in site files. */
export const sparesSchema = <N extends z.ZodType<string>, L extends z.ZodType<Record<string, string>>>(
  name: N,
  labels: L,
) =>
  z
    .union(
      [
        z.array(name).max(64),
        strict({ machines: z.array(name).max(64).default([]), labels: labels.default({} as never) }),
      ],
      {
        error: FORMS,
      },
    )
    .meta({
      description:
        'Machines without a role of their own that take over from one that is lost; by name, by label, or both.',
    });

export const spareLeaseSchema = parsed(parseLease, 'a time, e.g. 120s').meta({
  description: `For how long after its last answered heartbeat a machine runs the systems of a role with spares; default ${DEFAULT_LEASE_SECONDS}s.`,
});

/** Whole seconds or minutes. Throws `invalid`. */
function parseLease(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds >= SHORTEST_LEASE_SECONDS) return seconds;
  throw invalid(`${text} is too short: one late heartbeat would stop systems`, {
    remedy: `from ${SHORTEST_LEASE_SECONDS}s to 60m`,
  });
}

type SparesForm =
  | readonly string[]
  | { readonly machines: readonly string[]; readonly labels: Readonly<Record<string, string>> };

/** An empty list says what an absent one says; a lease without spares is kept, so that the checks can refuse it. */
export function sparesFromForm(form: SparesForm | undefined, leaseSeconds: number | undefined): Spares | undefined {
  const { machines, labels } = isList(form) ? { machines: form, labels: {} } : (form ?? { machines: [], labels: {} });
  const none = machines.length === 0 && Object.keys(labels).length === 0;
  if (none && leaseSeconds === undefined) return undefined;
  return { machines, labels, leaseSeconds: leaseSeconds ?? DEFAULT_LEASE_SECONDS };
}

export function sparesToJson({ machines, labels, leaseSeconds }: Spares) {
  const byLabel = Object.keys(labels).length > 0;
  return {
    spares: byLabel ? { machines: [...machines], labels: { ...labels } } : [...machines],
    ...(leaseSeconds === DEFAULT_LEASE_SECONDS ? {} : { spareLease: `${leaseSeconds}s` }),
  };
}

function isList(form: SparesForm | undefined): form is readonly string[] {
  return Array.isArray(form);
}
