import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findEndpoint } from '../../server/cli/connection.js';

const dir = mkdtempSync(`${tmpdir()}/anybios-connection-`);
const config = `${dir}/anybios.yaml`;
const socket = createServer();

beforeAll(async () => {
  mkdirSync(`${dir}/data`);
  writeFileSync(config, 'listen: { address: 127.0.0.1, http: 8099 }\ndhcp: { mode: "off" }\n');
});
afterAll(async () => {
  await new Promise((resolve) => socket.close(resolve));
  rmSync(dir, { recursive: true });
});

describe('findEndpoint', () => {
  test('ANYBIOS_URL wins over the configuration, and its token is ANYBIOS_TOKEN only', () => {
    writeFileSync(`${dir}/data/admin.token`, 'local\n');
    const endpoint = findEndpoint(config, { ANYBIOS_URL: 'https://boot.example.org:8443' });
    expect(endpoint).toEqual({ shown: 'https://boot.example.org:8443', url: new URL('https://boot.example.org:8443') });
    expect(findEndpoint(config, { ANYBIOS_URL: 'http://x', ANYBIOS_TOKEN: ' abc\n' }).token).toBe('abc');
  });

  test('the configuration without a socket: its port and the admin token', () => {
    expect(findEndpoint(config, {})).toEqual({
      shown: 'http://127.0.0.1:8099',
      url: new URL('http://127.0.0.1:8099'),
      token: 'local',
    });
  });

  test('the socket, when it is there', async () => {
    await new Promise<void>((resolve) => socket.listen(`${dir}/data/anybios.sock`, resolve));
    expect(findEndpoint(config, { ANYBIOS_TOKEN: 'given' })).toMatchObject({
      shown: `unix:${dir}/data/anybios.sock`,
      socketPath: `${dir}/data/anybios.sock`,
      token: 'given',
    });
  });

  test.each(['unix:', 'unix://'])('%s/path finds the token beside the socket', (scheme) => {
    expect(findEndpoint(undefined, { ANYBIOS_URL: `${scheme}${dir}/data/anybios.sock` })).toMatchObject({
      socketPath: `${dir}/data/anybios.sock`,
      token: 'local',
    });
  });

  test.each(['boot.example.org', 'ftp://x', 'http://'])('ANYBIOS_URL=%s is refused', (url) => {
    expect(() => findEndpoint(undefined, { ANYBIOS_URL: url })).toThrow('is not the address of a server');
  });

  test('a socket path too long for the kernel is refused by name', () => {
    expect(() => findEndpoint(undefined, { ANYBIOS_URL: `unix:/${'x'.repeat(120)}` })).toThrow('longer than 107 bytes');
  });

  test('a configuration that does not exist is named', () => {
    expect(() => findEndpoint(`${dir}/none.yaml`, {})).toThrow('none.yaml');
  });

  test('a token that cannot be read is an error, not "no token"', () => {
    rmSync(`${dir}/data/admin.token`);
    mkdirSync(`${dir}/data/admin.token`);
    expect(() => findEndpoint(config, {})).toThrow('admin.token: it is a folder');
  });
});
