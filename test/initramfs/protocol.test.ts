import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ash } from './ash.js';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const seen: Seen[] = [];
let server: Server;
let url: string;

// A listener that records what the shell sends: the subject here is the bytes of our requests.
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      if (request.url === '/agent/v1/refused') response.writeHead(403, 'nonce already claimed by another claim-id');
      if (request.url === '/agent/v1/busy') response.writeHead(503, 'store is not writable');
      response.end('answer=1\n');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

describe('bodies', () => {
  const KV: Readonly<Record<string, readonly [value: string, line: string]>> = {
    plain: ['a b=c', 'message=a b=c'],
    empty: ['', 'message='],
    'a newline would start a line of its own': ['x\nstage=live', 'message=x stage=live'],
    'carriage return, tab, escape': ['a\rb\tc\u001bd', 'message=a b c d'],
    'back-slashes and percent signs': ['a\\n%s', 'message=a\\n%s'],
    'not ASCII': ['größe 中文', 'message=größe 中文'],
    'a dash in front': ['-e x', 'message=-e x'],
  };
  test.each(Object.entries(KV))('kv: %s', async (_name, [value, line]) => {
    expect((await ash(['kv'], 'kv message "$1"', [value])).stdout).toBe(`${line}\n`);
  });

  const CLAIM = 'mode=resident\nsystem=web\nsystem=db\nempty=\nnote=a=b c\r\nlast=1';
  const GET: Readonly<Record<string, readonly [script: string, out: string]>> = {
    'the first of several': ['kv_get "$anybios_run/claim" system', 'web\n'],
    'all of several': ['kv_all "$anybios_run/claim" system', 'web\ndb\n'],
    'absent: the default': ['kv_get "$anybios_run/claim" x none', 'none\n'],
    'empty: the default': ['kv_get "$anybios_run/claim" empty none', 'none\n'],
    'a value with = and a carriage return behind': ['kv_get "$anybios_run/claim" note', 'a=b c\n'],
    'a last line without a newline': ['kv_get "$anybios_run/claim" last', '1\n'],
    'no file': ['kv_get "$anybios_run/none" x y', 'y\n'],
  };
  test.each(Object.entries(GET))('kv_get: %s', async (_name, [script, out]) => {
    expect((await ash(['kv'], script, [], { claim: CLAIM })).stdout).toBe(out);
  });

  test('the uptime in milliseconds', async () => {
    const script = 'for up in 0.00 0.50 7.08 12.34 123456.78; do echo "$up 1" >up; anybios_uptime=up uptime_ms; done';
    expect((await ash(['console'], script)).stdout).toBe('0\n500\n7080\n12340\n123456780\n');
  });
});

describe('requests', () => {
  const libraries = ['console', 'kv', 'http', 'report'];

  test('a report carries stage, step, uptime, what fits, and the credential', async () => {
    seen.length = 0;
    const script =
      'server=$1; echo "12.34 1" >up; anybios_uptime=up report rootfs fetching file "a b" bytes 5 total "" message "x\ny"';
    const { status } = await ash(libraries, script, [url], { credential: 'SECRET\n' });
    expect(status).toBe(0);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({
      method: 'POST',
      url: '/agent/v1/report',
      body: 'stage=rootfs\nstep=fetching\nuptime-ms=12340\nfile=a b\nbytes=5\nmessage=x y\n',
    });
    expect(seen[0]?.headers.authorization).toBe('Bearer SECRET');
  });

  test('without a credential there is no header', async () => {
    seen.length = 0;
    await ash(libraries, 'server=$1; agent GET next out; cat out', [url]);
    expect(seen[0]?.method).toBe('GET');
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });

  const FAILURES: Readonly<Record<string, readonly [path: string, error: RegExp, refused: string]>> = {
    'a refusal is final': ['refused', /^HTTP\/1\.1 403 nonce already claimed by another claim-id$/, 'final'],
    'a server in trouble is tried again': ['busy', /^HTTP\/1\.1 503 store is not writable$/, 'again'],
  };
  test.each(Object.entries(FAILURES))('%s', async (_name, [path, error, refused]) => {
    const script =
      'server=$1; agent GET "$2" out && echo no failure; echo "$http_error"; if refused; then echo final; else echo again; fi';
    const lines = (await ash(libraries, script, [url, path])).stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(error);
    expect(lines[1]).toBe(refused);
  });

  test('nobody listens: the network’s own words, tried again', async () => {
    const script =
      'server=$1; agent GET next out; echo "$http_error"; if refused; then echo final; else echo again; fi';
    const { stdout } = await ash(libraries, script, ['http://127.0.0.1:1']);
    expect(stdout).toMatch(/Connection refused\nagain\n$/);
  });
});

describe('the Date header', () => {
  const DATES: Readonly<Record<string, readonly [header: string, date: string]>> = {
    'IMF-fixdate': ['  Date: Sat, 21 Nov 2026 05:57:08 GMT', '2026-11-21 05:57:08\n'],
    'lower case, carriage return': ['  date: Thu, 01 Jan 1970 00:00:00 GMT\r', '1970-01-01 00:00:00\n'],
    'May, which is no other month': ['  Date: Fri, 01 May 2026 12:00:00 GMT', '2026-05-01 12:00:00\n'],
    absent: ['  Server: x', ''],
    'another form': ['  Date: Sat Nov 21 05:57:08 2026', ''],
  };
  test.each(Object.entries(DATES))('%s', async (_name, [header, date]) => {
    const { stdout } = await ash(['http'], 'http_date "$anybios_run/m"', [], { m: `  HTTP/1.1 200 OK\n${header}\n` });
    expect(stdout).toBe(date);
  });
});
