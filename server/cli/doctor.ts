import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Config, loadConfig } from '../config.js';
import { assetChecks } from './checks/assets.js';
import { type Check, failed, ok, skipped } from './checks/check.js';
import { dataChecks } from './checks/data.js';
import { dhcpServerChecks } from './checks/dhcp-servers.js';
import { heardCheck } from './checks/heard.js';
import { hostChecks } from './checks/host.js';
import { imagePlaneChecks } from './checks/image-plane.js';
import { damagedImagesCheck } from './checks/images.js';
import { labChecks } from './checks/lab.js';
import { interfaceChecks, portChecks } from './checks/network.js';
import type { Cli } from './cli.js';
import { ApiClient, type Endpoint } from './client.js';
import { DEFAULT_CONFIG, findEndpoint } from './connection.js';
import { withExamples } from './examples.js';
import { EXIT, failureOf, Unreachable } from './failure.js';
import { padEnd, printable, wrap } from './terminal/text.js';

/**
 * `anybios doctor`: is this computer fit to be the server? Looks only and changes nothing; into the network it sends one DHCP
 * DISCOVER for each configured interface, to learn who answers.
 */
export function registerDoctor(program: Command, cli: Cli): void {
  const doctor = program
    .command('doctor')
    .description('check whether this computer is fit to be the server; exit code 1 if not')
    .action(async () => {
      const checks = await allChecks(cli);
      const isFit = checks.every(({ state }) => state !== 'failed');
      if (!isFit) cli.exitCode = EXIT.failed;
      cli.print({ ok: isFit, checks }, () => reportLines(cli, checks));
    });
  withExamples(doctor, [
    ['before the first start', 'doctor --config anybios.yaml'],
    ['what failed, for a script', 'doctor --json | jq \'.checks[] | select(.state == "failed")\''],
  ]);
}

async function allChecks(cli: Cli): Promise<readonly Check[]> {
  const { check, config } = readConfig(cli);
  const site: Check[] = [];
  if (config !== undefined) {
    const isRunning = await isServerRunning(config, cli);
    site.push(isRunning ? ok('server', 'is running') : skipped('server', 'is not running'));
    site.push(
      ...interfaceChecks(config),
      ...portChecks(config, isRunning),
      ...dataChecks(config),
      ...imagePlaneChecks(config),
    );
    site.push(...(await dhcpServerChecks(config)));
    if (isRunning) {
      const api = new ApiClient(socketOf(config, cli));
      site.push(await heardCheck(api), await damagedImagesCheck(api));
    }
  }
  return [
    ...hostChecks(),
    check,
    ...site,
    ...(await assetChecks(undefined, { site: config !== undefined })),
    ...labChecks(cli.io.env.PATH ?? ''),
  ];
}

function readConfig(cli: Cli): { readonly check: Check; readonly config?: Config } {
  const file = cli.configFile ?? DEFAULT_CONFIG;
  if (cli.configFile === undefined && !existsSync(file)) {
    return { check: skipped('config', `no ${file} here: nothing about the network is checked (--config FILE)`) };
  }
  try {
    return { check: ok('config', `${file} is valid`), config: loadConfig({ file, env: cli.io.env }) };
  } catch (error) {
    const { message, remedy } = failureOf(error);
    return { check: failed('config', message.replaceAll('\n', '; '), remedy ?? 'correct the file') };
  }
}

/** The server of this configuration, not the one that ANYBIOS_URL names. */
const socketOf = (config: Config, cli: Cli): Endpoint =>
  findEndpoint(config.file, { ...cli.io.env, ANYBIOS_URL: undefined });

/** Its socket answers; with which answer does not matter here. */
async function isServerRunning(config: Config, cli: Cli): Promise<boolean> {
  const endpoint = socketOf(config, cli);
  if (endpoint.socketPath === undefined) return false;
  try {
    await new ApiClient(endpoint).get('/tokens');
    return true;
  } catch (error) {
    return !(error instanceof Unreachable);
  }
}

function reportLines(cli: Cli, checks: readonly Check[]): readonly string[] {
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const { style } = cli;
  const paint = { ok: style.good, warning: style.warn, failed: style.bad, skipped: style.dim };
  const indent = ' '.repeat(nameWidth + 11);
  const room = Math.max(20, (cli.width ?? Number.POSITIVE_INFINITY) - indent.length);
  const lines = checks.flatMap(({ name, state, message, remedy }) => {
    const [first = '', ...more] = wrap(printable(message), room);
    const below = remedy === undefined ? more : [...more, ...wrap(`remedy: ${printable(remedy)}`, room)];
    return [
      `${paint[state](padEnd(state, 7))}  ${padEnd(name, nameWidth)}  ${first}`,
      ...below.map((line) => indent + line),
    ];
  });
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  return [...lines, '', `ok ${count('ok')}, warnings ${count('warning')}, failed ${count('failed')}`];
}
