import { invalid } from '../domain/errors.js';

/** The most that Linux keeps on x86: COMMAND_LINE_SIZE is 2048 with the final NUL (arch/x86/include/asm/setup.h). */
const MAX_COMMAND_LINE = 2047;

// Bytes that neither iPXE (`${`, `||`, `&&`), nor GRUB (`;`, `$`, quotes), nor the kernel (space, quotes) reads as its own.
const SAFE = /^[A-Za-z0-9_.,:/=@%+~[\]-]+$/;

/**
 * Joins kernel arguments after checking what a boot loader would only get wrong later: unsafe characters, a second `ip=`,
 * more than 2,047 characters. Throws `invalid` naming the argument.
 */
export function joinKernelArgs(args: readonly string[]): string {
  for (const arg of args) {
    if (!SAFE.test(arg)) {
      throw invalid(
        `kernel argument ${JSON.stringify(arg)} has a character that a boot loader or the kernel would misread`,
        {
          field: 'args',
          remedy: 'use letters, digits and _ . , : / = @ % + ~ [ ] - only',
        },
      );
    }
  }
  const addresses = args.filter((arg) => arg.startsWith('ip='));
  if (addresses.length > 1) {
    throw invalid(`the kernel command line has ${addresses.length} ip= arguments: ${addresses.join(' ')}`, {
      field: 'args',
      remedy: 'remove ip= from the profile: the server writes it',
    });
  }
  const line = args.join(' ');
  if (line.length > MAX_COMMAND_LINE) {
    throw invalid(`the kernel command line has ${line.length} characters, the limit is ${MAX_COMMAND_LINE}`, {
      field: 'args',
      remedy: 'shorten the arguments of the profile or the names of the systems',
    });
  }
  return line;
}

/**
 * Fills `{{params.NAME}}` of a profile's argument. An argument whose parameter is empty is left out (undefined). Throws
 * `invalid` for a parameter that the profile does not declare.
 */
export function fillParams(arg: string, params: Readonly<Record<string, string>>): string | undefined {
  let empty = false;
  const filled = arg.replace(/\{\{\s*params\.([A-Za-z0-9]+)\s*\}\}/g, (_whole, name: string) => {
    const value = params[name];
    if (value === undefined)
      throw invalid(`argument ${arg} uses params.${name}, which the profile does not declare`, { field: 'args' });
    if (value === '') empty = true;
    return value;
  });
  return empty ? undefined : filled;
}
