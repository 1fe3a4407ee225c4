import { z } from 'zod';
import { BOOT_CARD, type HealthCheck, type SystemNetwork, type SystemStorage } from '../domain/system.js';
import { parsed, strict, whole, word } from '../yaml/schema.js';
import { defined } from './defined.js';
import {
  DISK_LABEL,
  DISK_LABEL_RULE,
  hasControl,
  parseMachineAddress,
  parseMemory,
  parseNicMac,
  parsePort,
  parseSeconds,
  parseStoragePath,
} from './text-forms.js';

// The parts of a system's definition that have more than one form (docs/systems.md). `*FromForm` make the domain's values.

/** Text with a unit, or whole bytes as a number. */
export const memory = z
  .union([z.string(), z.number()], { error: 'a size such as 128M or 1G' })
  .transform(String)
  .pipe(parsed(parseMemory));

const STORAGE = 'ram | {ram: SIZE} | {label: LABEL, path: PATH, size: SIZE}';
export const storageSchema = z
  .union(
    [
      z.literal('ram'),
      strict({ ram: memory }),
      strict({
        label: word(DISK_LABEL, DISK_LABEL_RULE),
        path: parsed(parseStoragePath, 'a folder on the partition, e.g. systems/web'),
        size: memory.optional(),
      }),
    ],
    { error: STORAGE },
  )
  .meta({ description: 'Where it writes: ram, RAM of a size, or kept on the partition of a label.' });

export function storageFromForm(form: z.output<typeof storageSchema>): SystemStorage {
  if (form === 'ram') return form;
  if ('ram' in form) return { ramBytes: form.ram };
  return defined({ label: form.label, path: form.path, sizeBytes: form.size });
}

const NETWORK = 'host | {bridge: boot, mac: MAC, address: ADDRESS} | {nat: boot, ports: [8080:80, 5353:53/udp]}';
export const networkSchema = z
  .union(
    [
      z.literal('host'),
      strict({
        bridge: z.literal(BOOT_CARD),
        mac: parsed(parseNicMac).optional(),
        address: parsed(parseMachineAddress).optional(),
      }),
      strict({ nat: z.literal(BOOT_CARD), ports: z.array(parsed(parsePort)).max(256).default([]) }),
    ],
    { error: NETWORK },
  )
  .meta({ description: 'host: the machine’s; bridge: a card of its own; nat: behind the machine’s address.' });

export function networkFromForm(form: z.output<typeof networkSchema>): SystemNetwork {
  return form === 'host' ? form : defined(form);
}

const seconds = z
  .union([z.string(), z.number()], { error: 'seconds, e.g. 5s' })
  .transform(String)
  .pipe(parsed(parseSeconds));
const commandWord = z
  .string()
  .max(4096)
  .refine((text) => !hasControl(text), { error: 'one line of text' });

export const healthSchema = strict({
  command: z.array(commandWord).min(1).max(64).optional().meta({ description: 'Run inside; status 0 is healthy.' }),
  http: strict({ port: whole(1, 65_535), path: word(/^\/[\x21-\x7e]{0,255}$/, 'a path such as /healthz').default('/') })
    .optional()
    .meta({ description: 'A GET that is answered with 2xx or 3xx is healthy.' }),
  tcp: whole(1, 65_535).optional().meta({ description: 'A port that takes connections is healthy.' }),
  interval: seconds.default(10),
  timeout: seconds.default(5),
  retries: whole(1, 100).default(3),
}).refine(({ command, http, tcp }) => [command, http, tcp].filter((way) => way !== undefined).length === 1, {
  error: 'has not exactly one way to check',
  params: { allowed: 'one of command, http, tcp' },
});

export function healthFromForm({ command, http, tcp, ...rest }: z.output<typeof healthSchema>): HealthCheck {
  const times = { intervalSeconds: rest.interval, timeoutSeconds: rest.timeout, retries: rest.retries };
  if (command !== undefined) return { check: { command }, ...times };
  if (http !== undefined) return { check: { http }, ...times };
  return { check: { tcp: tcp ?? 0 }, ...times };
}
