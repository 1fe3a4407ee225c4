import { Readable } from 'node:stream';
import { type Header, pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { scanTar } from '../../server/rootfs/scan-tar.js';
import { parseSource } from '../../server/rootfs/source.js';
import { parseListing } from '../../server/rootfs/squashfs-facts.js';

type Entry = Partial<Header> & { readonly name: string };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const archive = pack();
  for (const entry of entries) {
    const header = { mtime: new Date(0), ...entry };
    if (entry.size === undefined) archive.entry(header);
    else archive.entry(header, 'x'.repeat(entry.size));
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
const scan = async (entries: readonly Entry[], maxBytes = 1000) =>
  scanTar(Readable.from([await tarOf(entries)]), 'x.tar', maxBytes);

test('what is in it', async () => {
  const facts = await scan([
    { name: './etc/', type: 'directory' },
    { name: './etc/motd', size: 10, mtime: new Date(5_000) },
    { name: 'dev/sda', type: 'block-device', devmajor: 8, devminor: 0 },
    { name: 'bin/ping', size: 1, pax: { 'SCHILY.xattr.security.capability': 'x' } },
    { name: 'bin/link', type: 'symlink', linkname: '../../../etc/passwd' },
  ]);
  expect(facts).toMatchObject({ entries: 5, bytes: 11, newest: 5, devices: ['dev/sda'], capabilities: ['bin/ping'] });
  expect([...facts.top].sort()).toEqual(['bin', 'dev', 'etc']);
});

describe('refused', () => {
  test.each<[string, readonly Entry[], string]>([
    ['a name that climbs out', [{ name: 'a/../../etc/passwd', size: 1 }], 'leads out'],
    ['an absolute name', [{ name: '/etc/passwd', size: 1 }], 'absolute'],
    ['a hard link to a file outside', [{ name: 'a', type: 'link', linkname: '../etc/shadow' }], 'leads out'],
    ['a hard link by an absolute name', [{ name: 'a', type: 'link', linkname: '/etc/shadow' }], 'absolute'],
    [
      'a way through a link',
      [
        { name: 'a', type: 'symlink', linkname: '/etc' },
        { name: 'a/passwd', size: 1 },
      ],
      'leads through "a"',
    ],
    [
      'a way through a file',
      [
        { name: 'a', size: 1 },
        { name: 'a/b/c', size: 1 },
      ],
      'leads through "a"',
    ],
    [
      'an attribute of overlayfs',
      [{ name: 'a', size: 1, pax: { 'SCHILY.xattr.trusted.overlay.opaque': 'y' } }],
      'trusted.overlay.opaque',
    ],
    [
      'more than allowed',
      [
        { name: 'a', size: 600 },
        { name: 'b', size: 600 },
      ],
      'more than 1000 bytes',
    ],
  ])('%s', async (_name, entries, words) => {
    await expect(scan(entries)).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining(words) });
  });

  test('an archive that ends in the middle', async () => {
    const whole = await tarOf([{ name: 'a', size: 600 }]);
    const cut = scanTar(Readable.from([whole.subarray(0, 700)]), 'x.tar', 1000);
    await expect(cut).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('not a whole tar') });
  });

  test.each([
    ['https://example.org/x.tar', 'reads no URL'],
    ['docker://me:secret@host/x', 'no password'],
    ['docker://host', 'names no image'],
    ['/nonexistent', 'there is no /nonexistent'],
    ['oci:/nonexistent:v1', 'there is no /nonexistent'],
  ])('--from %s', (text, words) => {
    expect(() => parseSource(text)).toThrow(words);
  });
});

test.each([
  ['docker://localhost:5000/a', true],
  ['docker://127.0.0.1/a:1', true],
  ['docker://localhost.example.org/a', false],
  ['docker://registry.example.org/a', false],
])('%s is on this computer: %s', (text, loopback) => {
  expect(parseSource(text)).toMatchObject({ kind: 'image', loopback });
});

test('the listing of a squashfs', () => {
  const listing = `drwxr-xr-x 0/0                      48 2026-11-21 09:59
-rwsr-xr-x 0/0                       2 2026-11-21 09:58 /usr/bin/su
-rw-r-Sr-- 0/50                     10 2026-11-21 09:58 /a file
crw-r--r-- 0/0                   1,  3 2026-11-21 09:58 /dev/null
lrwxrwxrwx 0/0                       9 2026-11-21 09:58 /etc/link -> /etc/motd`;
  expect(parseListing(listing, 'x')).toEqual({
    entries: 4,
    bytes: 12,
    setuid: ['/usr/bin/su', '/a file'],
    devices: ['/dev/null'],
  });
  expect(() => parseListing('', 'x')).toThrow('not a squashfs');
});
