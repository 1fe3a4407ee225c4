import { z } from 'zod';
import { ARCH_WORDS, archKey } from '../domain/arch.js';
import { optionCode, optionWords } from '../wire/dhcp/option-table.js';
import { optionFaults } from '../wire/dhcp/option-words.js';
import { suggest } from './suggest.js';

// DHCP options and boot files as they stand in the configuration, in roles and on machines.

const OPTION_FORMS = 'text, a number, true or false, a list, or sub-options';

const plain = z.union([z.string(), z.number(), z.boolean()], { error: OPTION_FORMS });

/** `{ ntp: [10.77.0.1], 121: ["10.20.0.0/16 via 10.77.0.254"], "224": "text", 43: "hex:0a0b" }` */
export const optionsSchema = z
  .record(
    z.string(),
    z.union(
      [z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number()])), z.record(z.string(), plain)],
      {
        error: OPTION_FORMS,
      },
    ),
  )
  .superRefine((words, context) => {
    for (const { key, message, allowed } of optionFaults(words)) {
      const near = optionCode(key) === undefined ? suggest(key, optionWords()) : '';
      context.addIssue({
        code: 'custom',
        path: [key],
        message: `${message}${near}`,
        ...(allowed === undefined ? {} : { params: { allowed } }),
      });
    }
  })
  .meta({ description: 'DHCP options by number or name, e.g. { ntp: [10.77.0.1], "224": "hex:0a0b" }.' });

const FILE = /^(https?:\/\/[\x21-\x7e]{1,240}|[A-Za-z0-9._+/-]{1,127})$/;
const FILE_RULE = 'a file name of at most 127 characters, or a URL (http://...) for HTTP firmware';

/** `{ x64-uefi: my.efi, "11": grubaa64.efi, default: other.efi }` */
export const bootFilesSchema = z
  .record(z.string(), z.string().regex(FILE, { error: FILE_RULE }))
  .superRefine((files, context) => {
    const seen = new Map<number | 'default', string>();
    for (const key of Object.keys(files)) {
      const arch = archKey(key);
      const other = arch === undefined ? undefined : seen.get(arch);
      if (arch === undefined) {
        const message = `there is no architecture ${JSON.stringify(key.slice(0, 40))}${suggest(key, ARCH_WORDS)}`;
        const allowed = `a number of DHCP option 93, default, or one of: ${ARCH_WORDS.join(', ')}`;
        context.addIssue({ code: 'custom', path: [key], message, params: { allowed } });
      } else if (other !== undefined) {
        context.addIssue({
          code: 'custom',
          path: [key],
          message: `is architecture ${arch}, which ${other} sets already`,
        });
      } else seen.set(arch, key);
    }
  })
  .meta({ description: 'Boot files by architecture (its name or number) or default, e.g. { x64-uefi: my.efi }.' });
