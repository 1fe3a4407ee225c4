import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { archKey } from '../domain/arch.js';
import { AnybiosError, invalid } from '../domain/errors.js';
import { type Profile, SYSTEM_FEATURES } from '../domain/profile.js';
import { LOADERS } from '../domain/role.js';
import { SYSTEM_NETWORKS, SYSTEM_STORAGES } from '../domain/system.js';
import { compileTemplate, type Template } from './renderer.js';

/** A profile with its two templates compiled. */
export interface LoadedProfile {
  readonly profile: Profile;
  readonly ipxe: Template;
  readonly grub: Template;
}

const BOOT_FILE = /^(https?:\/\/[\x21-\x7e]{1,240}|[A-Za-z0-9._+/-]{1,127})$/;
const templateName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]*\.hbs$/, 'a file name in the profile folder that ends in .hbs');
const profileSchema = z.strictObject({
  description: z.string().optional(),
  extends: z.string().optional(),
  kind: z.enum(['boot', 'local', 'discover']).optional(),
  kernel: z.string().nullable().optional(),
  rootfs: z.string().nullable().optional(),
  args: z.array(z.string()).optional(),
  templates: z.strictObject({ ipxe: templateName.optional(), grub: templateName.optional() }).optional(),
  supports: z
    .strictObject({
      modes: z.array(z.enum(['resident', 'single'])).optional(),
      kinds: z.array(z.enum(['chroot', 'container', 'vm'])).optional(),
      storage: z.array(z.enum(SYSTEM_STORAGES)).optional(),
      limits: z.array(z.enum(['memory', 'cpus'])).optional(),
      networks: z.array(z.enum(SYSTEM_NETWORKS)).optional(),
      features: z.array(z.enum(SYSTEM_FEATURES)).optional(),
    })
    .optional(),
  loader: z.enum(LOADERS).optional(),
  bootFiles: z
    .record(
      z.string().refine((key) => archKey(key) !== undefined, 'a number of DHCP option 93, the word for it, or default'),
      z.string().regex(BOOT_FILE, 'a file name of at most 127 characters, or a URL'),
    )
    .optional(),
  failure: z
    .strictObject({ policy: z.enum(['reboot', 'shell']), delaySeconds: z.number().int().min(1).max(86_400) })
    .optional(),
  params: z.record(z.string().regex(/^[a-z][A-Za-z0-9]*$/), z.string()).optional(),
});
type ProfileFile = z.infer<typeof profileSchema>;
interface Source {
  readonly file: ProfileFile;
  readonly dir: string;
}

/**
 * Reads every folder below the given ones as a profile (`NAME/profile.yaml` and its `*.hbs`); a later folder replaces a profile
 * of the same name. `extends` takes over every key that the folder does not set (null clears); templates are looked up in the
 * folder that names them. Throws `invalid`.
 */
export function loadProfiles(...dirs: readonly string[]): Map<string, LoadedProfile> {
  const sources = new Map<string, Source>();
  for (const dir of dirs) {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const folder = join(dir, entry.name);
      sources.set(entry.name, { file: readProfileFile(folder), dir: folder });
    }
  }
  return new Map([...sources.keys()].sort().map((name) => [name, load(name, sources)]));
}

function readProfileFile(dir: string): ProfileFile {
  const path = join(dir, 'profile.yaml');
  let raw: unknown;
  try {
    raw = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalid(`${path}: ${error instanceof Error ? error.message : String(error)}`, { field: path });
  }
  const result = profileSchema.safeParse(raw);
  if (!result.success) {
    const list = result.error.issues.map((issue) => `${issue.path.join('.') || '(top)'}: ${issue.message}`).join('; ');
    throw invalid(`${path}: ${list}`, { field: path, remedy: 'see docs/operating.md, "Profiles"' });
  }
  return result.data;
}

function load(name: string, sources: ReadonlyMap<string, Source>): LoadedProfile {
  // From the profile itself up to its last ancestor; the first that sets a key wins.
  const chain: Source[] = [];
  const seen = new Set<string>();
  for (let at: string | undefined = name; at !== undefined; at = sources.get(at)?.file.extends) {
    const source = sources.get(at);
    if (source === undefined)
      throw invalid(`profile ${name} extends "${at}", which is not there`, { field: `${name}.extends` });
    if (seen.has(at)) throw invalid(`profile ${name} extends itself through "${at}"`, { field: `${name}.extends` });
    seen.add(at);
    chain.push(source);
  }
  const first = <T>(pick: (file: ProfileFile) => T | undefined): T | undefined =>
    chain.map((s) => pick(s.file)).find((v) => v !== undefined);
  const template = (loader: 'ipxe' | 'grub'): { readonly path: string; readonly run: Template } => {
    const owner = chain.find((s) => s.file.templates?.[loader] !== undefined);
    const file = owner?.file.templates?.[loader];
    if (owner === undefined || file === undefined)
      throw invalid(`profile ${name} has no ${loader} template`, { field: `${name}.templates.${loader}` });
    const path = join(owner.dir, file);
    try {
      return { path, run: compileTemplate(path, readFileSync(path, 'utf8')) };
    } catch (error) {
      if (error instanceof AnybiosError) throw error;
      throw invalid(`profile ${name}: cannot read ${path}`, { field: `${name}.templates.${loader}`, cause: error });
    }
  };
  const ipxe = template('ipxe');
  const grub = template('grub');
  const kernel = first((f) => f.kernel);
  const rootfs = first((f) => f.rootfs);
  const loader = first((f) => f.loader);
  const bootFiles = first((f) => f.bootFiles);
  const kind = first((f) => f.kind);
  if (kind === undefined)
    throw invalid(`profile ${name} has no kind`, {
      field: `${name}.kind`,
      remedy: 'write kind: boot, local or discover',
    });
  if (kind !== 'local' && (kernel === undefined || kernel === null)) {
    throw invalid(`profile ${name} has no kernel image`, { field: `${name}.kernel`, remedy: 'write kernel: kernel' });
  }
  const profile: Profile = {
    name,
    description: first((f) => f.description) ?? '',
    kind,
    ...(kernel == null ? {} : { kernel }),
    ...(rootfs == null ? {} : { rootfs }),
    ...(loader === undefined ? {} : { loader }),
    ...(bootFiles === undefined ? {} : { bootFiles }),
    args: first((f) => f.args) ?? [],
    templates: { ipxe: basename(ipxe.path), grub: basename(grub.path) },
    supports: {
      modes: first((f) => f.supports?.modes) ?? [],
      kinds: first((f) => f.supports?.kinds) ?? [],
      storage: first((f) => f.supports?.storage) ?? [],
      limits: first((f) => f.supports?.limits) ?? [],
      // A profile from before there were others.
      networks: first((f) => f.supports?.networks) ?? ['host'],
      features: first((f) => f.supports?.features) ?? [],
    },
    failure: first((f) => f.failure) ?? { policy: 'reboot', delaySeconds: 30 },
    params: Object.assign({}, ...chain.map((s) => s.file.params ?? {}).reverse()),
  };
  return { profile, ipxe: ipxe.run, grub: grub.run };
}
