import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { packageRoot } from '../server/paths.js';

const read = (name: string): string => readFileSync(`${packageRoot}/${name}`, 'utf8');

/** What we promise of the container; other keys are checked by the Compose schema. */
const composeSchema = z.object({
  services: z.object({
    anybios: z.object({
      build: z.literal('.'),
      network_mode: z.literal('host'),
      read_only: z.literal(true),
      user: z.literal('node'),
      cap_drop: z.tuple([z.literal('ALL')]),
      cap_add: z.array(z.string()),
      volumes: z.array(z.string().regex(/^[^:]+:\/[^:]+(:ro)?$/)),
      healthcheck: z.object({ test: z.array(z.string()).min(2), interval: z.string(), retries: z.number() }),
    }),
  }),
  volumes: z.record(z.string(), z.unknown()),
});

describe('docker-compose.yml', () => {
  const { services, volumes } = composeSchema.parse(parse(read('docker-compose.yml')));
  const service = services.anybios;

  test('fits the Compose schema', () => {
    // The schema is inside docker-compose; `config` needs no engine. Relative paths start from the file's folder.
    const said = execFileSync('docker-compose', ['-f', 'docker-compose.yml', 'config', '--services'], {
      cwd: packageRoot,
      encoding: 'utf8',
    });
    expect(said.trim()).toBe('anybios');
  });

  test('least capabilities: low ports and raw frames, nothing else', () => {
    expect(service.cap_add).toEqual(['NET_BIND_SERVICE', 'NET_RAW']);
    expect(service).not.toHaveProperty('privileged');
  });

  test('only the data volume can be written to', () => {
    const writable = service.volumes.filter((volume) => !volume.endsWith(':ro'));
    expect(writable).toEqual(['data:/data']);
    expect(Object.keys(volumes)).toEqual(['data']);
  });

  test('the health check asks /healthz on the socket in the data volume', () => {
    const check = service.healthcheck.test.join(' ');
    expect(check).toContain("socketPath:'/data/anybios.sock',path:'/healthz'");
    // As it stands it is a program: it must at least be one, and fail where no server is.
    const [, program = '', ...args] = service.healthcheck.test;
    expect(() => execFileSync(program, args, { stdio: 'ignore' })).toThrow(expect.objectContaining({ status: 1 }));
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');

  test('copies only what is there, or what the first stage makes', () => {
    const made = ['node_modules', 'dist', 'boot-assets/out'];
    const sources = lines
      .filter((line) => line.startsWith('COPY '))
      .flatMap((line) => line.split(/\s+/).slice(1, -1))
      .filter((word) => !word.startsWith('--'))
      .map((word) => word.replace('/anybios/', ''));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((path) => !made.includes(path) && !existsSync(`${packageRoot}/${path}`))).toEqual([]);
  });

  test('gives the program the capabilities that the compose file leaves it', () => {
    expect(lines.join('\n')).toContain('setcap cap_net_bind_service,cap_net_raw+ep');
    expect(lines).toContain('USER node');
  });

  test('what is built there is not sent there', () => {
    expect(read('.dockerignore').split('\n')).toEqual(
      expect.arrayContaining(['node_modules', 'dist', 'boot-assets/out', 'data']),
    );
  });
});
