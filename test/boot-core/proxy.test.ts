import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DhcpStep } from '../../server/boot/contract.js';
import type { Ipv4 } from '../../server/domain/ipv4.js';
import type { Mac } from '../../server/domain/mac.js';
import type { ProxyStyle } from '../../server/domain/machine.js';
import {
  address,
  answerValue,
  elsewhere,
  lines,
  mac,
  startCore,
  strangerMac,
  type TestCore,
} from '../support/boot-core.js';
import { subnet } from '../support/dhcp-site.js';

/* Addresses come from another server; what the boot core makes of what it overhears. */

const neighbours = new Map<Ipv4, Mac>();
let core: TestCore;

beforeEach(async () => {
  neighbours.clear();
  core = await startCore({ neighbour: (whose) => neighbours.get(whose) });
  core.configure({ subnets: [subnet({ mode: 'proxy' })], unknown: { kind: 'localdisk' } });
});
afterEach(() => core.close());

function step(message: DhcpStep['message'], over: Partial<DhcpStep> = {}): void {
  core.boot.step({
    facts: { mac, client: 'pxe', arch: 7 },
    message,
    mode: 'proxy',
    text: message,
    data: {},
    ...over,
  });
}

/** DISCOVER, the offer that the rules make of it, and back: what style it was. */
function offer(arch = 7): ProxyStyle | undefined {
  const facts = { mac, client: 'pxe', arch } as const;
  step('discover', { facts });
  const made = core.boot.bootOffer(facts, { mode: 'proxy' });
  if (made.kind !== 'loader' || made.proxyStyle === undefined) throw new Error(JSON.stringify(made));
  step('offer', { facts, proxyStyle: made.proxyStyle });
  return made.proxyStyle;
}

const fetchLoader = (): void =>
  core.boot.transfer({
    requester: { protocol: 'tftp', address },
    name: 'snponly.efi',
    phase: 'sent',
    bytes: 1,
    total: 1,
    milliseconds: 1,
  });

async function script(from: Ipv4): Promise<string> {
  const file = await core.boot.resolve(`/boot/ipxe/${mac.replaceAll(':', '-')}`, { protocol: 'http', address: from });
  return file.kind === 'text' ? file.text : file.kind;
}
const hasNonce = (text: string): boolean => /anybios\.nonce=\S+/.test(text);

describe('the address of the session', () => {
  test('is the one in its REQUEST to the other server; the script has ip=dhcp and the nonce', async () => {
    step('discover');
    expect(core.sessions.of('node1')).toMatchObject({ dhcpMode: 'proxy' });
    step('request', { address });
    expect(core.sessions.of('node1')?.address).toBe(address);
    const text = await script(address);
    expect(text).toContain(' ip=dhcp ');
    expect(hasNonce(text)).toBe(true);
    expect(hasNonce(await script(elsewhere))).toBe(false);
  });

  test('is the one that it asks from on port 4011', async () => {
    step('discover');
    step('ack', { address });
    expect(hasNonce(await script(address))).toBe(true);
  });

  test('a REQUEST names it, but somebody else answers there: no nonce', async () => {
    step('discover');
    // Sent by the stranger in the name of the machine, with the stranger's own address.
    step('request', { address: elsewhere });
    neighbours.set(elsewhere, strangerMac);
    expect(hasNonce(await script(elsewhere))).toBe(false);
    expect(await core.kinds()).toContain('http.script-without-nonce');
    // The machine itself, by its own address, is told by the neighbour table.
    neighbours.set(address, mac);
    expect(hasNonce(await script(address))).toBe(true);
  });

  test('its REQUEST was lost: the neighbour table is enough', async () => {
    step('discover');
    expect(hasNonce(await script(address))).toBe(false);
    neighbours.set(address, mac);
    expect(hasNonce(await script(address))).toBe(true);
    expect(core.sessions.of('node1')?.address).toBe(address);
  });

  test('in full mode a REQUEST and the neighbour table say nothing', async () => {
    const facts = { mac, client: 'pxe', arch: 7 } as const;
    for (const message of ['discover', 'request'] as const)
      core.boot.step({ facts, message, address, text: message, data: {} });
    neighbours.set(address, mac);
    expect(hasNonce(await script(address))).toBe(false);
  });

  test('the OS got another one than the firmware: the claim tells', async () => {
    step('discover');
    step('request', { address });
    const nonce = /anybios\.nonce=(\S+)/.exec(await script(address))?.[1] ?? '';
    neighbours.set(elsewhere, strangerMac);
    await expect(core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-2' }), elsewhere)).rejects.toThrow(
      `10.77.0.200 is another machine, ${strangerMac}`,
    );
    neighbours.set(elsewhere, mac);
    const answer = await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1' }), elsewhere);
    expect(answerValue(answer, 'machine')).toBe('node1');
    expect(core.views.machineView('node1')?.address).toBe(elsewhere);
  });
});

describe('the style of the offer', () => {
  test('by firmware; after two offers without a fetch the other one, and an event', async () => {
    expect([offer(7), offer(7), offer(7), offer(7), offer(7)]).toEqual([
      'second-leg',
      'second-leg',
      'first-offer',
      'first-offer',
      'second-leg',
    ]);
    expect((await core.kinds()).filter((kind) => kind === 'dhcp.proxy-style')).toHaveLength(2);
  });

  test('a BIOS ROM starts with everything in the first offer', () => {
    expect(offer(0)).toBe('first-offer');
  });

  test('a loader that is fetched proves the style; it is kept over a restart and shown', async () => {
    expect([offer(), offer(), offer()]).toEqual(['second-leg', 'second-leg', 'first-offer']);
    step('request', { address });
    fetchLoader();
    expect(core.views.machineView('node1')?.observed).toMatchObject({
      proxyStyle: 'first-offer',
      proxyStyleProven: true,
    });
    expect(core.views.explain('node1').lines).toContainEqual({
      what: 'proxy style',
      value: 'first-offer',
      why: 'a boot loader was fetched after such an offer',
    });
    const again = await core.restart();
    const facts = { mac, client: 'pxe', arch: 7 } as const;
    expect(again.boot.bootOffer(facts, { mode: 'proxy' })).toMatchObject({ proxyStyle: 'first-offer' });
    await again.close();
    core = await startCore();
  });

  test('in full mode there is none', () => {
    expect(core.boot.bootOffer({ mac, client: 'pxe', arch: 7 }, { mode: 'full' })).not.toHaveProperty('proxyStyle');
  });
});

test('the loader is snponly, and silence after it is named for Secure Boot', async () => {
  expect(core.boot.bootOffer({ mac, client: 'pxe', arch: 7 }, { mode: 'proxy' })).toMatchObject({
    file: 'snponly.efi',
  });
  offer();
  step('request', { address });
  fetchLoader();
  core.now += 121_000;
  core.sessions.checkStalls();
  expect(core.sessions.of('node1')).toMatchObject({
    outcome: 'stalled',
    diagnosis: { name: 'secure-boot-proxy' },
  });
});

test('Secure Boot with HTTP Boot beside another server: no file, and the boot fails with its name', async () => {
  step('discover');
  step('request', { address });
  const nonce = /anybios\.nonce=(\S+)/.exec(await script(address))?.[1] ?? '';
  await core.reports.claim(lines({ nonce, 'claim-id': 'claim-id-1', secureboot: 'on' }), address);
  core.now += 1000;
  const facts = { mac, client: 'http', arch: 16 } as const;
  const made = core.boot.bootOffer(facts, { mode: 'proxy' });
  expect(made).toMatchObject({ kind: 'none', diagnosis: { name: 'secure-boot-http' } });
  step('discover', { facts });
  if (made.kind === 'none' && made.diagnosis !== undefined) step('ignored', { facts, diagnosis: made.diagnosis });
  expect(core.sessions.of('node1')).toMatchObject({ outcome: 'failed', diagnosis: { name: 'secure-boot-http' } });
});

test('observe: a machine that netboots is discovered, and no boot session opens', async () => {
  core.boot.step({
    facts: { mac: strangerMac, client: 'pxe', arch: 0 },
    message: 'discover',
    mode: 'observe',
    text: 'discover',
    data: {},
  });
  step('discover', { mode: 'observe' });
  expect([...core.views.machineKeys()]).toContain(strangerMac);
  expect([core.sessions.of(strangerMac), core.sessions.of('node1')]).toEqual([undefined, undefined]);
  expect(await core.kinds()).toEqual(['machine.discovered']);
});
