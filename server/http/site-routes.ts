import { z } from 'zod';
import { changesText } from '../desired/changes-text.js';
import { applyTo, diffDesired } from '../desired/diff-desired.js';
import { exportSite } from '../desired/export-site.js';
import { parseSite } from '../desired/site-file.js';
import type { Change, DesiredState } from '../domain/desired.js';
import type { ApiDeps } from './api-deps.js';
import type { DesiredWriter } from './desired-writer.js';
import { driftSchema } from './machine-resource.js';
import { flagSchema, type Route, route } from './route.js';

/** A site of 50,000 machines is about 8 MB of YAML. */
const SITE_LIMIT_BYTES = 32 * 1024 * 1024;

const appliedSchema = z
  .object({
    changes: z.array(
      z.object({
        kind: z.enum(['machine', 'role', 'system']),
        action: z.enum(['add', 'change', 'remove']),
        name: z.string(),
        fields: z.array(z.string()),
      }),
    ),
    machines: z
      .array(z.object({ name: z.string(), effects: z.array(driftSchema) }))
      .meta({ description: 'What the changes do to machines that run now.' }),
    text: z.string().meta({ description: 'The changes for people, one a line.' }),
  })
  .meta({ id: 'Applied' });

const planned = (before: DesiredState, plan: (current: DesiredState) => readonly Change[]) => ({
  before,
  changes: plan(before),
});

export function siteRoutes({ boot }: Pick<ApiDeps, 'boot'>, writer: DesiredWriter): Route[] {
  return [
    route({
      method: 'post',
      path: '/apply',
      summary: 'Applies a site file: all of it or nothing',
      description:
        'Adds and changes what the file holds. Only `prune` removes, and only of the kinds that the file lists.',
      query: z.strictObject({
        dryRun: flagSchema.meta({ description: 'Only says what would change.' }),
        prune: flagSchema.meta({ description: 'Also removes what the file does not hold.' }),
      }),
      body: {
        kind: 'text',
        types: ['application/yaml', 'text/plain', 'application/json'],
        limitBytes: SITE_LIMIT_BYTES,
        schema: z.string(),
      },
      answer: { kind: 'json', schema: appliedSchema },
      handle: async ({ body, query: { dryRun, prune }, by }) => {
        const plan = (current: DesiredState): readonly Change[] =>
          diffDesired(current, parseSite(body, writer.context(current, prune)), { prune });
        const { changes, before } = dryRun ? planned(writer.current(), plan) : await writer.change(by, plan);
        const effects = await boot.effects(before, applyTo(before, changes), changes);
        return {
          machines: effects.map(({ name, effects: its }) => ({ name, effects: its.map((effect) => ({ ...effect })) })),
          changes: changes.map(({ kind, action, name, fields }) => ({ kind, action, name, fields: [...fields] })),
          text: changesText(changes),
        };
      },
    }),
    route({
      method: 'get',
      path: '/export',
      summary: 'The desired state as a site file; applying it again changes nothing',
      answer: { kind: 'text', type: 'application/yaml', schema: z.string() },
      handle: () => exportSite(writer.current()),
    }),
  ];
}
