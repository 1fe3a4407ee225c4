import { describe, expect, test } from 'vitest';
import { imageOfTarget, sortConnection } from '../../server/images/image-url.js';

const HEX = '0123456789abcdef'.repeat(4);

describe('targets', () => {
  const images: Record<string, string> = {
    [`/images/sha256/${HEX}`]: `images/sha256/${HEX}`,
    [`/images/sha256/${HEX}/vmlinuz`]: `images/sha256/${HEX}/vmlinuz`,
    [`/images/sha256/${HEX}/rootfs.img?retry=2`]: `images/sha256/${HEX}/rootfs.img`,
    [`http://10.77.0.1:8080/images/sha256/${HEX}`]: `images/sha256/${HEX}`,
  };
  test.each(Object.entries(images))('%s', (target, name) => {
    expect(imageOfTarget(target)).toEqual({ digest: HEX, name });
  });

  const others = [
    '/',
    '*',
    `/images/sha256/${HEX.slice(1)}`,
    `/images/sha256/${HEX}0`,
    `/images/sha256/${HEX.toUpperCase()}`,
    `/images/sha256/${HEX}/`,
    `/images/sha256/${HEX}/a/b`,
    `/images/sha256/${HEX}/../../etc/passwd`,
    `/images/sha256/../../etc/passwd`,
    `/images/sha256/..%2f..%2fetc%2fpasswd`,
    `/images/sha256/${HEX.slice(0, 60)}%2e%2e`,
    `/images/sha256/..\\..\\etc\\passwd`,
    `/images/sha256/${HEX}\0`,
    `/images//sha256/${HEX}`,
    `//images/sha256/${HEX}`,
    `/api/v1/images/sha256/${HEX}`,
    `ftp://h/images/sha256/${HEX}`,
  ];
  test.each(others)('not an image: %j', (target) => {
    expect(imageOfTarget(target)).toBeUndefined();
  });
});

describe('first bytes of a connection', () => {
  const rows: Record<string, [bytes: string, kind: ReturnType<typeof sortConnection>]> = {
    nothing: ['', 'more'],
    'half a request line': [`GET /images/sha256/${HEX}`, 'more'],
    'an image': [`GET /images/sha256/${HEX} HTTP/1.1\r\n`, 'images'],
    'its size': [`HEAD /images/sha256/${HEX} HTTP/1.0\r\nHost: x\r\n\r\n`, 'images'],
    'lines ended by LF alone': [`GET /images/sha256/${HEX} HTTP/1.1\n`, 'images'],
    'an empty line first': [`\r\n\r\nGET /images/sha256/${HEX} HTTP/1.1\r\n`, 'images'],
    'an upload to that name': [`PUT /images/sha256/${HEX} HTTP/1.1\r\n`, 'main'],
    'the script of a machine': ['GET /boot/ipxe/x HTTP/1.1\r\n', 'script'],
    'a boot loader': ['HEAD /boot/snponly.efi HTTP/1.1\r\n', 'images'],
    'a file of the site': ['GET /files/a/b?x HTTP/1.1\r\n', 'images'],
    'another path': ['GET /api/v1/machines HTTP/1.1\r\n', 'main'],
    'HTTP/2 by prior knowledge': ['PRI * HTTP/2.0\r\n\r\n', 'main'],
    TLS: ['\x16\x03\x01\x02\x00\n', 'main'],
    'no line in 9,000 bytes': ['x'.repeat(9000), 'main'],
  };
  test.each(Object.entries(rows))('%s', (_, [bytes, kind]) => {
    expect(sortConnection(Buffer.from(bytes, 'latin1'))).toBe(kind);
  });
});
