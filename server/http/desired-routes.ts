import { z } from 'zod';
import { diffDesired, removalOf } from '../desired/diff-desired.js';
import type { Change } from '../domain/desired.js';
import { invalid, notFound } from '../domain/errors.js';
import type { State } from '../state/state.js';
import { type DesiredResource, roleKind, systemKind } from './desired-kinds.js';
import type { DesiredWriter } from './desired-writer.js';
import { shownForm } from './form-schema.js';
import { mergePatch } from './merge-patch.js';
import { listOf, nameParams, type Route, route } from './route.js';

/** Any object; its keys are checked by the rules of site files, which name the field and what is allowed. */
export const anyObject = z.record(z.string(), z.unknown(), 'send a JSON object');

/** Replaces `name` by a whole form, through the same rules and the same path as `apply`. */
export async function putForm(
  writer: DesiredWriter,
  what: DesiredResource,
  name: string,
  body: object,
  by: string,
): Promise<void> {
  await writer.change(by, (current) => {
    const form = { ...body, name: nameIn(body, name) };
    return diffDesired(current, what.read(form, writer.context(current)));
  });
}

/** Changes some fields of `name` (RFC 7396). Throws `not_found`. */
export async function patchForm(
  writer: DesiredWriter,
  state: State,
  what: DesiredResource,
  name: string,
  body: Readonly<Record<string, unknown>>,
  by: string,
): Promise<void> {
  await writer.change(by, (current) => {
    const old = what.formOf(state, name);
    if (old === undefined) throw notFound(`there is no ${what.kind} "${name}"`, { field: 'name' });
    const form = mergePatch(old, { ...body, name: nameIn(body, name) });
    return diffDesired(current, what.read(form, writer.context(current)));
  });
}

export async function removeForm(
  writer: DesiredWriter,
  what: DesiredResource,
  name: string,
  by: string,
): Promise<void> {
  await writer.change(by, (current): Change[] => [removalOf(current, what.kind, name)]);
}

/** The name stands in the path; a body may repeat it, but not say another. */
function nameIn(body: object, name: string): string {
  if (!('name' in body) || body.name === name) return name;
  throw invalid('a name does not change', {
    field: 'name',
    remedy: 'add it under the new name and remove the old one',
  });
}

/** GET, PUT, PATCH and DELETE of roles and systems. */
export function desiredRoutes(deps: { readonly state: State }, writer: DesiredWriter): Route[] {
  return [
    ...formRoutes(deps.state, writer, roleKind, '/roles'),
    ...formRoutes(deps.state, writer, systemKind, '/systems'),
  ];
}

function formRoutes(state: State, writer: DesiredWriter, what: DesiredResource, path: string): Route[] {
  const { kind, form } = what;
  const formOf = (name: string): Readonly<Record<string, unknown>> => {
    const found = what.formOf(state, name);
    if (found !== undefined) return found;
    throw notFound(`there is no ${kind} "${name.slice(0, 80)}"`, { remedy: `see: anybios ${kind} list` });
  };
  // What is answered is the written form: it can be sent back.
  const shown = form.meta({ id: kind === 'role' ? 'Role' : 'System' });
  const answer = { kind: 'json', schema: anyObject, described: shown } as const;
  const body = { kind: 'json', schema: anyObject, described: shownForm(form, 'put') } as const;
  return [
    route({
      method: 'get',
      path,
      summary: `All ${kind}s, by name`,
      answer: { kind: 'json', schema: listOf(anyObject), described: listOf(shown) },
      handle: () => ({ items: what.names(state).map(formOf) }),
    }),
    route({
      method: 'get',
      path: `${path}/{name}`,
      summary: `One ${kind}, as a site file writes it`,
      params: nameParams,
      answer,
      handle: ({ params }) => formOf(params.name),
    }),
    route({
      method: 'put',
      path: `${path}/{name}`,
      summary: `Adds a ${kind}, or replaces it as a whole`,
      params: nameParams,
      body,
      answer,
      handle: async ({ params, body: given, by }) => {
        await putForm(writer, what, params.name, given, by);
        return formOf(params.name);
      },
    }),
    route({
      method: 'patch',
      path: `${path}/{name}`,
      summary: `Changes fields of a ${kind}: absent = as it was, null = cleared`,
      params: nameParams,
      body: { kind: 'json', schema: anyObject, described: shownForm(form, 'patch') },
      answer,
      handle: async ({ params, body: given, by }) => {
        await patchForm(writer, state, what, params.name, given, by);
        return formOf(params.name);
      },
    }),
    route({
      method: 'delete',
      path: `${path}/{name}`,
      summary: `Removes a ${kind} that nothing refers to`,
      params: nameParams,
      answer: { kind: 'none' },
      handle: async ({ params, by }) => {
        await removeForm(writer, what, params.name, by);
        return undefined;
      },
    }),
  ];
}
