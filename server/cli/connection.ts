import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { loadConfig, serverAddress } from '../config.js';
import { invalid, unauthorized } from '../domain/errors.js';
import { formatIpv4 } from '../domain/ipv4.js';
import { ApiClient, type Endpoint } from './client.js';
import { errnoOf, reasonOf } from './files.js';

type Env = Readonly<Record<string, string | undefined>>;

export const DEFAULT_CONFIG = 'anybios.yaml';

/** A path in `sockaddr_un` has 108 bytes with its end; a longer one cannot be connected to. */
const SOCKET_PATH_LIMIT = 107;

/** The API that the environment or the configuration names. Nothing is sent yet. */
export async function connect(configFile: string | undefined, env: Env): Promise<ApiClient> {
  return new ApiClient(findEndpoint(configFile, env));
}

/**
 * Where the server is, first match wins: ANYBIOS_URL (`http://…`, `https://…`, `unix:/path/anybios.sock`) with ANYBIOS_TOKEN;
 * else the configuration (`--config`, or ./anybios.yaml): the socket in its dataDir when there is one, else its HTTP port, with
 * the token of dataDir/admin.token. That token is never sent to an ANYBIOS_URL: it may be anybody's. Throws `invalid`.
 */
export function findEndpoint(configFile: string | undefined, env: Env): Endpoint {
  const url = env.ANYBIOS_URL ?? '';
  const token = env.ANYBIOS_TOKEN === undefined || env.ANYBIOS_TOKEN === '' ? undefined : env.ANYBIOS_TOKEN.trim();
  if (url !== '') return endpointOfUrl(url, token);
  const file = configFile ?? DEFAULT_CONFIG;
  if (configFile === undefined && !existsSync(file)) {
    throw invalid('no server is named', {
      remedy: `set ANYBIOS_URL and ANYBIOS_TOKEN, give --config FILE, or work where ${DEFAULT_CONFIG} is`,
    });
  }
  return endpointOfConfig(file, env, token);
}

function endpointOfUrl(text: string, token: string | undefined): Endpoint {
  if (text.startsWith('unix:')) {
    const socketPath = resolve(text.slice('unix:'.length).replace(/^\/\//, ''));
    return endpointOfSocket(socketPath, token ?? readToken(`${dirname(socketPath)}/admin.token`));
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw invalid(`ANYBIOS_URL "${text}" is not the address of a server`, {
      field: 'ANYBIOS_URL',
      remedy: 'write http://ADDRESS:PORT, https://NAME or unix:/PATH/anybios.sock',
    });
  }
  return { shown: url.origin, url, ...(token === undefined ? {} : { token }) };
}

function endpointOfConfig(file: string, env: Env, given: string | undefined): Endpoint {
  const config = loadConfig({ file, env });
  const token = given ?? readToken(`${config.dataDir}/admin.token`);
  const socketPath = `${config.dataDir}/anybios.sock`;
  // Without a socket the server is not running, or runs elsewhere on the same data: its port decides, if one was chosen.
  if (config.listen.http === 0 || isSocket(socketPath)) return endpointOfSocket(socketPath, token);
  const shown = `http://${formatIpv4(serverAddress(config))}:${config.listen.http}`;
  return { shown, url: new URL(shown), ...(token === undefined ? {} : { token }) };
}

function endpointOfSocket(socketPath: string, token: string | undefined): Endpoint {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_LIMIT) {
    throw invalid(`the path of the socket ${socketPath} is longer than ${SOCKET_PATH_LIMIT} bytes`, {
      remedy: 'use a shorter dataDir, or set ANYBIOS_URL to the HTTP port',
    });
  }
  return {
    shown: `unix:${socketPath}`,
    url: new URL('http://localhost'),
    socketPath,
    ...(token === undefined ? {} : { token }),
  };
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

/** `undefined` = no such file: the server has not been started yet, and will say what is missing. */
function readToken(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw unauthorized(`cannot read ${path}: ${reasonOf(error)}`, {
      remedy: 'run this as the user of the server (root), or set ANYBIOS_TOKEN',
      cause: error,
    });
  }
}
