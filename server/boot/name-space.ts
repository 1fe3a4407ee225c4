import type { Digest } from '../domain/digest.js';
import { AnybiosError } from '../domain/errors.js';
import type { Mac } from '../domain/mac.js';
import { parseMac } from '../domain/mac.js';
import { andThen, type MaybePromise } from '../domain/maybe-promise.js';
import type { ServerIdentity } from '../domain/site.js';
import type { BootFile, Requester } from './contract.js';
import { normaliseFileName } from './file-name.js';
import { autoexecScript, GRUB_ENTRY, type ScriptLoader } from './scripts.js';

export type FoundFile =
  | { readonly kind: 'file'; readonly path: string; readonly size: number }
  | { readonly kind: 'none'; readonly reason: string };

export interface NameSpaceDeps {
  readonly identity: ServerIdentity;
  /** Boot loaders by lower-case file name. */
  readonly loaders: ReadonlyMap<string, { readonly path: string; readonly size: number }>;
  readonly imageFile: (digest: Digest) => FoundFile | Promise<FoundFile>;
  /** The site's own files; undefined = none configured. */
  readonly siteFile: ((name: string) => Promise<FoundFile>) | undefined;
  readonly script: (mac: Mac, loader: ScriptLoader, requester: Requester) => MaybePromise<string>;
}

// Asked for by firmware, shim and browsers as a matter of course; a clean "not found" is the right answer and no news.
const OFTEN_ABSENT =
  /(^|\/)(revocations(_sku|_sbat)?\.efi|shim_certificate(_\d+)?\.efi|grub\/x86_64-efi\/.*|.*\.lst|boot\.sdi|bcd|favicon\.ico)$/i;

export function isRoutineMiss(name: string): boolean {
  return OFTEN_ABSENT.test(name.replaceAll('\\', '/'));
}

/** Names of scripts that need not be taken apart again: those of a room that boots, about 100 bytes each. Long spellings (`./././`) are not kept. */
const SCRIPT_NAMES = 4096;
const SCRIPT_NAME_LENGTH = 40;

/**
 * One name space for TFTP and HTTP. In order: rendered names (`grub/grub.cfg`, `grub/machine/MAC.cfg`, `boot/ipxe/MAC`,
 * `autoexec.ipxe` in every folder), boot loaders in every folder (shim looks beside itself), images by digest, site files.
 */
export function createNameSpace(deps: NameSpaceDeps): (name: string, requester: Requester) => MaybePromise<BootFile> {
  const text = (name: string, body: string): BootFile => ({
    kind: 'text',
    name,
    text: body,
    contentType: 'text/plain; charset=utf-8',
  });
  const file = (name: string, found: FoundFile, digest?: string): BootFile =>
    found.kind === 'none'
      ? { kind: 'none', name, code: 'not_found', reason: found.reason }
      : {
          kind: 'file',
          name,
          path: found.path,
          size: found.size,
          contentType: 'application/octet-stream',
          ...(digest === undefined ? {} : { digest }),
        };

  const script = (name: string, mac: Mac, loader: ScriptLoader, requester: Requester): MaybePromise<BootFile> =>
    andThen(deps.script(mac, loader, requester), (body) => text(name, body));
  const scripts = new Map<string, { readonly name: string; readonly mac: Mac }>();

  function look(raw: string, name: string, requester: Requester): MaybePromise<BootFile> {
    const lower = name.toLowerCase();
    const last = lower.slice(lower.lastIndexOf('/') + 1);
    if (last === 'autoexec.ipxe') return text(name, autoexecScript(deps.identity));
    if (lower === 'grub/grub.cfg' || lower.endsWith('/grub/grub.cfg')) return text(name, GRUB_ENTRY);
    const grub = /(?:^|\/)grub\/machine\/([0-9a-f:-]{12,17})\.cfg$/.exec(lower);
    if (grub?.[1] !== undefined) return script(name, parseMac(grub[1]), 'grub', requester);
    const ipxe = /^boot\/ipxe\/([0-9a-f:-]{12,17})(?:\.ipxe)?$/.exec(lower);
    if (ipxe?.[1] !== undefined) {
      const mac = parseMac(ipxe[1]);
      if (raw.length <= SCRIPT_NAME_LENGTH) {
        if (scripts.size >= SCRIPT_NAMES) scripts.clear();
        scripts.set(raw, { name, mac });
      }
      return script(name, mac, 'ipxe', requester);
    }
    const image = /^images\/sha256\/([0-9a-f]{64})(?:\/[^/]+)?$/.exec(lower);
    if (image?.[1] !== undefined) {
      const digest = image[1];
      return andThen(deps.imageFile(digest as Digest), (found) => file(name, found, digest));
    }
    const loader = deps.loaders.get(last);
    if (loader !== undefined) return file(name, { kind: 'file', ...loader });
    if (deps.siteFile !== undefined) {
      const own = requester.protocol === 'http' ? /^(?:files\/|(?=boot\/))(.*)$/.exec(name)?.[1] : name;
      if (own !== undefined) return deps.siteFile(own).then((found) => file(name, found));
      return { kind: 'none', name, code: 'not_found', reason: "no such boot file; the site's own are below /files/" };
    }
    return {
      kind: 'none',
      name,
      code: 'not_found',
      reason: 'no such boot file, image or rendered name, and no files: folder is configured',
    };
  }

  return (raw, requester) => {
    // A name says the same whenever it is asked for.
    const known = scripts.get(raw);
    const parsed = known === undefined ? normaliseFileName(raw) : undefined;
    if (parsed?.kind === 'refused')
      return { kind: 'none', name: raw.slice(0, 100), code: 'unauthorized', reason: parsed.reason };
    const name = known?.name ?? parsed?.path ?? raw;
    const refused = (error: unknown): BootFile => {
      if (!(error instanceof AnybiosError)) throw error;
      return { kind: 'none', name, code: error.code, reason: error.message };
    };
    try {
      const found = known === undefined ? look(raw, name, requester) : script(name, known.mac, 'ipxe', requester);
      return found instanceof Promise ? found.catch(refused) : found;
    } catch (error) {
      return refused(error);
    }
  };
}
