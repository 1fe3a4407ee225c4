import { z } from 'zod';
import { diffDesired } from '../desired/diff-desired.js';
import { conflict } from '../domain/errors.js';
import type { Machine } from '../domain/machine.js';
import type { ApiDeps } from './api-deps.js';
import { machineKind } from './desired-kinds.js';
import { anyObject, patchForm, putForm, removeForm } from './desired-routes.js';
import type { DesiredWriter } from './desired-writer.js';
import { shownForm } from './form-schema.js';
import { findMachine } from './machine-lookup.js';
import { machineResource, machineSchema } from './machine-resource.js';
import { nameParams, type Route, route } from './route.js';

const handOverSchema = z.strictObject({
  to: z
    .string()
    .optional()
    .meta({ description: 'Absent: back to the machine whose role it is, or to the first fit spare.' }),
});

const approvalSchema = z.strictObject({
  name: z.string({ error: 'give the machine a name' }),
  role: z.string().optional(),
  address: z.string().optional().meta({ description: 'The address to reserve.' }),
});

/** What changes machines: PUT, PATCH, DELETE and the approval of a discovered one. */
export function machineChangeRoutes(deps: Pick<ApiDeps, 'boot' | 'state'>, writer: DesiredWriter): Route[] {
  const { boot, state } = deps;
  const answer = { kind: 'json', schema: machineSchema } as const;
  const resource = (name: string): z.input<typeof machineSchema> => machineResource(findMachine(deps, name));
  /** The known machine of a name or MAC. */
  const known = (name: string): Machine => {
    const { machine, key } = findMachine(deps, name);
    if (machine !== undefined) return machine;
    throw conflict(`${key} is only discovered`, {
      remedy: `approve it first: anybios machine approve ${key} --name NAME`,
    });
  };

  return [
    route({
      method: 'put',
      path: '/machines/{name}',
      summary: 'Adds a machine, or replaces what was written of it as a whole',
      params: nameParams,
      body: { kind: 'json', schema: anyObject, described: shownForm(machineKind.form, 'put') },
      answer,
      handle: async ({ params, body, by }) => {
        await putForm(writer, machineKind, params.name, body, by);
        return resource(params.name);
      },
    }),
    route({
      method: 'patch',
      path: '/machines/{name}',
      summary: 'Changes fields of a machine: absent = as it was, null = cleared',
      params: nameParams,
      body: { kind: 'json', schema: anyObject, described: shownForm(machineKind.form, 'patch') },
      answer,
      handle: async ({ params, body, by }) => {
        const { name } = known(params.name);
        await patchForm(writer, state, machineKind, name, body, by);
        return resource(name);
      },
    }),
    route({
      method: 'delete',
      path: '/machines/{name}',
      summary: 'Removes a machine, or forgets one that is only discovered',
      description: 'A removed machine that netboots again is unknown.',
      params: nameParams,
      answer: { kind: 'none' },
      handle: async ({ params, by }) => {
        const { machine, observed, key } = findMachine(deps, params.name);
        if (machine === undefined && observed !== undefined) await boot.forget(observed.mac, by);
        else await removeForm(writer, machineKind, key, by);
        return undefined;
      },
    }),
    route({
      method: 'post',
      path: '/machines/{name}/hand-over',
      summary: 'Gives the role that a machine holds to another: its owner, or a spare',
      description:
        'First the machine stops its systems (at its next heartbeat, or when its lease is over), then the other one starts them. `place.handing` shows that it is on its way.',
      params: nameParams,
      body: { kind: 'json', schema: handOverSchema },
      answer,
      handle: async ({ params, body, by }) => {
        const { name } = known(params.name);
        await boot.handOver(name, body.to, by);
        return resource(name);
      },
    }),
    route({
      method: 'post',
      path: '/machines/{name}/confirm-off',
      summary: 'A person says that a machine is switched off: its role need not wait for the end of its lease',
      description: 'Refused while the machine is heard.',
      params: nameParams,
      answer,
      handle: async ({ params, by }) => {
        const { name } = known(params.name);
        await boot.confirmOff(name, by);
        return resource(name);
      },
    }),
    route({
      method: 'post',
      path: '/machines/{name}/approve',
      summary: 'Makes a discovered machine (by its MAC) a machine of the site',
      description: 'A machine that waits in stage 1 reboots into its role within seconds.',
      params: nameParams,
      body: { kind: 'json', schema: approvalSchema },
      answer,
      handle: async ({ params, body, by }) => {
        await writer.change(by, (current) => {
          // Looked up in here: two approvals of one machine must not both find it unknown.
          const { machine, observed, key } = findMachine(deps, params.name);
          if (machine !== undefined || observed === undefined) {
            throw conflict(`${params.name} is machine "${key}" already`, { remedy: 'change it with PATCH' });
          }
          if (state.machines.has(body.name)) {
            throw conflict(`there is a machine named "${body.name}"`, {
              field: 'name',
              remedy: 'choose another name, or add the MAC to that machine with PATCH',
            });
          }
          const form = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
          return diffDesired(current, machineKind.read({ ...form, macs: [observed.mac] }, writer.context(current)));
        });
        return resource(body.name);
      },
    }),
  ];
}
