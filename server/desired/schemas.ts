import { z } from 'zod';
import { invalid } from '../domain/errors.js';
import type { Machine } from '../domain/machine.js';
import { parseOpaqueId } from '../domain/opaque-id.js';
import { LOADERS, type Role } from '../domain/role.js';
import type { System } from '../domain/system.js';
import { bootFilesSchema, optionsSchema } from '../yaml/dhcp-schema.js';
import { parsed, strict, word } from '../yaml/schema.js';
import { defined } from './defined.js';
import { spareLeaseSchema, sparesFromForm, sparesSchema } from './spare-schema.js';
import {
  healthFromForm,
  healthSchema,
  memory,
  networkFromForm,
  networkSchema,
  storageFromForm,
  storageSchema,
} from './system-schemas.js';
import {
  DISK_LABEL,
  DISK_LABEL_RULE,
  hasControl,
  parseDevice,
  parseMachineAddress,
  parseNicMac,
  parseSystemPath,
} from './text-forms.js';

// The resources of the desired state as people and the REST API write them: addresses dotted, memory as `128M`.
// `*FromForm` make the domain's values of what they yield.

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const NAME_RULE = 'lower-case letters, digits and -, starting with a letter or digit, at most 63';

const MAC_RULE = 'a MAC in quotes, e.g. "52:54:00:00:00:01"';
const ADDRESS_RULE = 'an IPv4 address, e.g. 10.77.0.11';

/** A name as it may stand in URLs, host names and on the kernel command line. */
export const nameSchema = word(NAME, NAME_RULE);

/** `name`, `name:version` or `name:tag`. */
const imageReferenceSchema = word(
  /^[a-z0-9][a-z0-9._-]{0,62}(:[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$/,
  'NAME, NAME:VERSION or NAME:TAG, e.g. base or base:stable',
);

/** One line of text. */
const line = (max: number) =>
  parsed((text) => {
    if (!hasControl(text) && text.length <= max) return text;
    throw invalid(text.length > max ? `${text.length} letters are too many` : 'holds a control character', {
      remedy: `one line of text, at most ${max} letters, no newline`,
    });
  });

/** Keys of labels: `rack`, `example.org/owner`. */
const labelKey = word(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, 'letters, digits, ., _, / and -, at most 63');
const labels = z.record(labelKey, line(255));
const environmentName = word(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'letters, digits and _, not starting with a digit');
const diskLabel = word(DISK_LABEL, DISK_LABEL_RULE);
const devicePath = parsed(parseDevice);
const paramName = word(/^[a-z][A-Za-z0-9]{0,62}$/, 'letters and digits, starting with a lower-case letter');
const systemPath = parsed(parseSystemPath);
const loader = z.enum(LOADERS);
const opaqueId = parsed(parseOpaqueId);

const CPUS = 'a number of processors, e.g. 1 or 0.5';

export const machineSchema = strict({
  name: nameSchema,
  macs: z.array(parsed(parseNicMac, MAC_RULE)).max(64).default([]).meta({
    description:
      'Of its network cards, e.g. 52:54:00:00:00:01; the first is the one shown. At least one, unless uuid, clientId or relay tells the machine.',
  }),
  uuid: parsed((text) => {
    if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return text.toLowerCase();
    throw invalid(`"${text}" is not a UUID`, { remedy: '8-4-4-4-12 hex digits, as dmidecode prints it' });
  }).optional(),
  serial: line(64).optional(),
  clientId: opaqueId.optional().meta({ description: 'DHCP option 61: text, or bytes as hex:0a0b.' }),
  relay: strict({ circuitId: opaqueId.optional(), remoteId: opaqueId.optional() })
    .optional()
    .meta({ description: 'The port it is plugged into (option 82). The machine is then told by that alone.' }),
  address: parsed(parseMachineAddress, ADDRESS_RULE).optional().meta({ description: 'Reserved IPv4 address.' }),
  role: nameSchema.optional(),
  labels: labels.default({}),
  loader: loader.optional(),
  options: optionsSchema.optional(),
  bootFiles: bootFilesSchema.optional(),
  disks: z.record(diskLabel, devicePath).optional().meta({
    description: 'Label -> device that may be formatted with it when it is empty, e.g. {data: /dev/disk/by-id/…}.',
  }),
});

export const roleSchema = strict({
  name: nameSchema,
  profile: nameSchema,
  mode: z.enum(['resident', 'single']).default('resident'),
  systems: z.array(nameSchema).max(64).default([]),
  spares: sparesSchema(nameSchema, labels).optional(),
  spareLease: spareLeaseSchema.optional(),
  params: z.record(paramName, line(1024)).default({}).meta({ description: 'Only names that the profile declares.' }),
  loader: loader.optional(),
  options: optionsSchema.optional(),
});

export const systemSchema = strict({
  name: nameSchema,
  kind: z.enum(['chroot', 'container', 'vm']),
  image: imageReferenceSchema.optional().meta({
    description:
      'Template: NAME (its stable version), NAME:VERSION or NAME:TAG. A VM may have `disk` instead, or neither: it then netboots.',
  }),
  layer: imageReferenceSchema.optional().meta({ description: 'Root file system image that lies over the template.' }),
  disk: imageReferenceSchema.optional().meta({ description: 'VM: image of a disk with an OS of its own.' }),
  kernel: imageReferenceSchema.optional().meta({ description: 'VM with `image`: its kernel image; default: kernel.' }),
  command: z
    .array(line(4096))
    .max(256)
    .default([])
    .meta({ description: 'A program and its arguments; no shell is involved.' }),
  env: z.record(environmentName, line(4096)).default({}),
  files: z
    .record(systemPath, z.string().max(1_048_576))
    .default({})
    .meta({ description: 'Absolute path in the system -> Handlebars text.' }),
  memory: memory.optional().meta({ description: 'Limit: 128M, 1G (powers of 1024) or bytes. For a VM its RAM.' }),
  cpus: z.number({ error: CPUS }).positive({ error: CPUS }).max(1024, { error: CPUS }).optional(),
  storage: storageSchema.default('ram'),
  network: networkSchema.optional(),
  restart: z.enum(['always', 'on-failure', 'never']).default('always'),
  after: z.array(nameSchema).max(64).optional().meta({ description: 'Systems of the same role that must run before.' }),
  health: healthSchema.optional(),
});

/** A site file. A list that is absent says nothing about its kind; `--prune` then leaves that kind alone. */
export const siteSchema = strict({
  systems: z.array(systemSchema).optional(),
  roles: z.array(roleSchema).optional(),
  machines: z.array(machineSchema).optional(),
});

export type SystemForm = z.output<typeof systemSchema>;
export type SiteForm = z.output<typeof siteSchema>;

export function machineFromForm({ relay, disks, ...rest }: z.output<typeof machineSchema>): Machine {
  const some = disks === undefined || Object.keys(disks).length === 0 ? undefined : disks;
  return { ...defined({ ...rest, disks: some }), ...(relay === undefined ? {} : { relay: defined(relay) }) };
}

export function roleFromForm({ spares, spareLease, ...rest }: z.output<typeof roleSchema>): Role {
  return defined({ ...rest, spares: sparesFromForm(spares, spareLease) });
}

export function systemFromForm({ memory, storage, network, health, after, ...rest }: SystemForm): System {
  return defined({
    ...rest,
    memoryBytes: memory,
    // An empty list says what an absent one says.
    after: after?.length === 0 ? undefined : after,
    storage: storageFromForm(storage),
    network: network === undefined ? undefined : networkFromForm(network),
    health: health === undefined ? undefined : healthFromForm(health),
  });
}
