import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { invalid } from '../domain/errors.js';

/** Where a root file system is made from. `image`: a reference that skopeo reads. */
export type RootfsSource =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'stdin' }
  | { readonly kind: 'image'; readonly reference: string; readonly shown: string; readonly loopback: boolean };

const FORMS =
  'a folder, a tar or squashfs file, "-", oci:FOLDER[:TAG], docker-archive:FILE, oci-archive:FILE or docker://HOST/NAME:TAG';

/** Reads the argument of `--from`. Throws `invalid`. */
export function parseSource(text: string): RootfsSource {
  if (text === '-') return { kind: 'stdin' };
  const registry = /^docker:\/\/([^/@]+@)?([^/]+)\/?(.*)$/.exec(text);
  if (registry !== null) {
    const [, login, host = '', name = ''] = registry;
    if (login !== undefined) {
      throw invalid('a reference holds no password', { field: '--from', remedy: 'log in first: skopeo login HOST' });
    }
    if (name === '')
      throw invalid(`"${text}" names no image`, { field: '--from', remedy: 'write docker://HOST/NAME:TAG' });
    return {
      kind: 'image',
      reference: text,
      shown: text,
      loopback: /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host),
    };
  }
  const local = /^(oci|docker-archive|oci-archive):(.+)$/s.exec(text);
  if (local !== null) {
    const [, transport = '', rest = ''] = local;
    return { kind: 'image', reference: `${transport}:${absolute(rest)}`, shown: text, loopback: false };
  }
  if (/^https?:\/\//.test(text)) {
    throw invalid('--from reads no URL', {
      field: '--from',
      remedy: `a squashfs: --rootfs ${text}; another archive: curl -L ${text} | anybios image import … --from -`,
    });
  }
  if (!existsSync(text)) {
    throw invalid(`there is no ${text}`, { field: '--from', remedy: `name ${FORMS}` });
  }
  const path = resolve(text);
  if (!statSync(path).isDirectory()) return { kind: 'file', path };
  if (!existsSync(`${path}/oci-layout`)) return { kind: 'folder', path };
  return { kind: 'image', reference: `oci:${path}`, shown: `oci:${path}`, loopback: false };
}

/** `FOLDER:TAG` with the folder made absolute: skopeo runs elsewhere. */
function absolute(text: string): string {
  const [path = '', ...rest] = text.split(':');
  if (!existsSync(path)) throw invalid(`there is no ${path}`, { field: '--from', remedy: `name ${FORMS}` });
  return [resolve(path), ...rest].join(':');
}
