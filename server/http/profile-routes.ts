import { z } from 'zod';
import { notFound } from '../domain/errors.js';
import type { Profile } from '../domain/profile.js';
import { LOADERS } from '../domain/role.js';
import type { ApiDeps } from './api-deps.js';
import { listOf, nameParams, type Route, route } from './route.js';

const profileSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    kind: z.enum(['boot', 'local', 'discover']),
    kernel: z.string().optional(),
    rootfs: z.string().optional(),
    args: z.array(z.string()),
    supports: z.object({
      modes: z.array(z.string()),
      kinds: z.array(z.string()),
      storage: z.array(z.string()),
      limits: z.array(z.string()),
      networks: z.array(z.string()),
      features: z.array(z.string()),
    }),
    loader: z.enum(LOADERS).optional(),
    failure: z.object({ policy: z.enum(['reboot', 'shell']), delaySeconds: z.number() }),
    params: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Profile' });

export function profileRoutes({ state, boot }: Pick<ApiDeps, 'state' | 'boot'>): Route[] {
  const profile = (name: string): Profile => {
    const found = state.profiles.get(name);
    if (found !== undefined) return found;
    throw notFound(`there is no profile "${name}"`, {
      field: 'name',
      remedy: `profiles here: ${Array.from(state.profiles.keys()).sort().join(', ')}`,
    });
  };
  return [
    route({
      method: 'get',
      path: '/profiles',
      summary: 'Profiles: how machines may boot',
      answer: { kind: 'json', schema: listOf(profileSchema) },
      handle: () => {
        const all = Array.from(state.profiles.values()).sort((a, b) => (a.name < b.name ? -1 : 1));
        return { items: all.map(profileResource) };
      },
    }),
    route({
      method: 'get',
      path: '/profiles/{name}',
      summary: 'One profile, what it extends merged in',
      params: nameParams,
      answer: { kind: 'json', schema: profileSchema },
      handle: ({ params }) => profileResource(profile(params.name)),
    }),
    route({
      method: 'get',
      path: '/profiles/{name}/render',
      summary: 'The script that a machine would get from this profile',
      description: 'For people: no boot session is opened and no live nonce is shown.',
      params: nameParams,
      query: z.strictObject({ machine: z.string().min(1), loader: z.enum(['ipxe', 'grub']).default('ipxe') }),
      answer: { kind: 'text', type: 'text/plain', schema: z.string() },
      handle: ({ params, query }) => boot.renderFor(profile(params.name).name, query.machine, query.loader),
    }),
  ];
}

function profileResource(profile: Profile): z.input<typeof profileSchema> {
  const { templates: _, ...shown } = profile;
  return {
    ...shown,
    args: [...profile.args],
    supports: {
      modes: [...profile.supports.modes],
      kinds: [...profile.supports.kinds],
      storage: [...profile.supports.storage],
      limits: [...profile.supports.limits],
      networks: [...profile.supports.networks],
      features: [...profile.supports.features],
    },
    params: { ...profile.params },
    failure: { ...profile.failure },
  };
}
