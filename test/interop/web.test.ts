import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseIpv4 } from '../../server/domain/ipv4.js';
import { parseMac } from '../../server/domain/mac.js';
import { adminToken, startApi, type TestApi } from '../support/api.js';
import { address, mac, strangerMac } from '../support/boot-core.js';
import { SceneMachine } from '../support/scene.js';

// The status page in a real browser, over the real app, store and boot core.
const HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';

let profile: string;
let browser: BrowserContext;
let api: TestApi;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  profile = mkdtempSync(join(tmpdir(), 'anybios-chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: '/usr/bin/chromium',
    viewport: { width: 1280, height: 800 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});
afterAll(async () => {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
});
beforeEach(async () => {
  api = await startApi({ core: { unknown: { kind: 'discover' }, now: Date.now() } });
  complaints.length = 0;
  page = await browser.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.text().includes('Content Security Policy'))
      complaints.push(message.text());
  });
});
afterEach(async () => {
  await page.close();
  await api.close();
});

const row = (name: string) => page.locator('.machine', { has: page.getByRole('button', { name, exact: true }) });
const textOf = async (selector: string): Promise<string> => (await page.locator(selector).allTextContents()).join('\n');

async function signIn(): Promise<void> {
  await page.goto(`${api.url}/#token=${adminToken}`);
  await page.waitForSelector('.machine');
  await vi.waitFor(async () => expect(await page.locator('#link').textContent()).toBe('live'));
}

describe('the token', () => {
  test('is asked for; a wrong one is refused, the right one stays for this tab', async () => {
    await page.goto(api.url);
    expect(await page.locator('#machines').isVisible()).toBe(false);
    await page.getByLabel('Token').fill('not the token');
    await page.keyboard.press('Enter');
    await page.getByText('This token is not (or no longer) valid.').waitFor();
    await page.getByLabel('Token').fill(adminToken);
    await page.keyboard.press('Enter');
    await row('node1').waitFor();
    await page.reload();
    await row('node1').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.evaluate('sessionStorage.length')).toBe(0);
  });

  test('of the address is taken and disappears from it', async () => {
    await signIn();
    expect(page.url()).toBe(`${api.url}/`);
    expect(complaints).toEqual([]);
  });

  test('a token that is revoked ends the page', async () => {
    const { token } = (await api.json('POST', '/api/v1/tokens', { name: 'guest' })).body as { token: string };
    await page.goto(`${api.url}/#token=${token}`);
    await row('node1').waitFor();
    await api.json('DELETE', '/api/v1/tokens/guest');
    new SceneMachine(api.core, mac, address).dhcp('pxe');
    await page.getByText('This token is not (or no longer) valid.').waitFor();
  });
});

describe('machines', () => {
  test('a boot is followed live: stages, bytes, systems, without a jump of the row', async () => {
    await signIn();
    const status = row('node1').locator('.status');
    expect(await status.textContent()).toBe('off');
    const before = await row('node1').boundingBox();
    const node1 = await new SceneMachine(api.core, mac, address).toStage1();
    await vi.waitFor(async () => expect(await status.textContent()).toBe('booting'), 5000);
    await node1.report({
      stage: 'rootfs',
      step: 'fetching',
      file: 'rootfs.squashfs',
      bytes: '2000000',
      total: '8000000',
    });
    await vi.waitFor(
      async () =>
        expect(await row('node1').locator('.progress').textContent()).toBe('25 %  2.0 MB / 8.0 MB  rootfs.squashfs'),
      5000,
    );
    expect(await row('node1').locator('.stages').getAttribute('aria-label')).toBe('root file system (6 of 8), running');
    expect((await row('node1').boundingBox())?.height).toBe(before?.height);
    await node1.report({ stage: 'live', step: 'started' });
    await node1.system('web', 'running');
    await node1.system('db', 'running');
    await vi.waitFor(async () => expect(await status.textContent()).toBe('up'), 5000);
    expect(await row('node1').locator('.systems li').allTextContents()).toEqual(['web · running', 'db · running']);
    expect(await row('node1').locator('.stages .done').count()).toBe(8);
    expect(complaints).toEqual([]);
  });

  test('a failed boot shows its diagnosis with the remedy', async () => {
    await signIn();
    const node1 = await new SceneMachine(api.core, mac, address).toStage1();
    await node1.report({ stage: 'rootfs', step: 'failed', message: 'sha256 of rootfs.squashfs is 00, expected dd' });
    await row('node1').getByText('digest-mismatch').waitFor();
    expect(await row('node1').locator('.remedy').textContent()).toMatch(/^What to do: /);
    expect(await row('node1').locator('.stages .failed').count()).toBe(1);
  });

  test('what differs from what it shall be is said with what ends it, and goes when it is so', async () => {
    const node1 = await (await new SceneMachine(api.core, mac, address).toStage1()).toEnd();
    const older = `${'a'.repeat(16)}.${'b'.repeat(16)}.${'c'.repeat(16)}`;
    await node1.heartbeat([`web running 2 ${older}`, 'db paused 0']);
    await signIn();
    const systems = row('node1').locator('.systems li');
    await vi.waitFor(async () => expect(await systems.allTextContents()).toEqual(['web · running ↻2', 'db · paused']));
    expect(await row('node1').locator('.drift li').allTextContents()).toEqual([
      'web: older definition it is composed from an older definition changes now',
      'db: paused it stands still waits for a job',
    ]);
    expect(await systems.first().getAttribute('data-drift')).toBe('definition');
    const times = { createdAt: api.core.now, expiresAt: api.core.now + 1000, timeoutSeconds: 60 };
    const job = { id: 'j1', machine: 'node1', kind: 'exec', command: ['echo', HOSTILE], by: 'eve', ...times } as const;
    await api.core.store.saveJobs([{ ...job, state: 'failed', message: 'exited with 3' }]);
    await row('node1').click();
    const jobs = page.locator('#timeline-jobs li');
    await jobs.first().waitFor();
    expect(await jobs.locator('.job-state').allTextContents()).toEqual(['failed']);
    expect(await jobs.locator('.job-what').allTextContents()).toEqual([`exec echo ${HOSTILE}`]);
    expect(await page.locator('#timeline-drift li').count()).toBe(2);
    await page.keyboard.press('Escape');
    await node1.heartbeat(['web running 2', 'db running 0']);
    await node1.system('db', 'running');
    await vi.waitFor(async () => expect(await row('node1').locator('.drift').isVisible()).toBe(false), 5000);
    expect(complaints).toEqual([]);
  });

  test('the timeline opens by keyboard, shows the protocols in order, and follows', async () => {
    const node1 = await new SceneMachine(api.core, mac, address).toStage1();
    await api.core.events.flush();
    await signIn();
    await page.getByRole('button', { name: 'node1', exact: true }).focus();
    await page.keyboard.press('Enter');
    const events = page.locator('#timeline-events .event');
    await page.getByText('stage 1 of node1 claimed its boot').waitFor();
    const sources = await events.locator('.source').allTextContents();
    expect([...new Set(sources)]).toEqual(['dhcp', 'tftp', 'http', 'stage1']);
    await node1.toEnd();
    await page.locator('#timeline').getByText('system db running').waitFor();
    await vi.waitFor(async () => expect(await page.locator('#timeline-bar .done').count()).toBe(8), 5000);
    await page.keyboard.press('Escape');
    expect(await page.locator('#timeline').isVisible()).toBe(false);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('node1');
  });

  test('a waiting machine shows what it is and is approved', async () => {
    const stranger = await new SceneMachine(api.core, strangerMac, parseIpv4('10.77.0.150')).toStage1();
    stranger.inventory({
      product: 'Lab PC',
      'memory-bytes': '17179869184',
      disk: ['sda 256060514304 Some SSD', 'sdb 1000 X'],
    });
    await api.core.events.flush();
    await signIn();
    const card = page.locator('.waiting');
    await card.waitFor();
    expect(await card.locator('.inventory').textContent()).toContain('Lab PC');
    expect(await card.locator('.inventory').textContent()).toContain('17.2 GB');
    await card.getByLabel('Name').fill('node1');
    await card.getByRole('button', { name: 'Approve' }).click();
    await card.getByText('there is a machine named "node1"').waitFor();
    await card.getByLabel('Name').fill('node7');
    await card.getByLabel('Role').selectOption('web');
    await card.getByLabel('Address').fill('10.77.0.17');
    await page.keyboard.press('Enter');
    await row('node7').waitFor();
    expect(await page.locator('.waiting').count()).toBe(0);
    expect(await row(strangerMac).count()).toBe(0);
    expect(api.core.state.machines.get('node7')).toMatchObject({ role: 'web', macs: [strangerMac] });
  });

  test('hostile text of machines is text', async () => {
    const stranger = await new SceneMachine(api.core, strangerMac, parseIpv4('10.77.0.150')).toStage1();
    stranger.inventory({ product: HOSTILE, [HOSTILE]: HOSTILE, nic: [HOSTILE] });
    const node1 = await new SceneMachine(api.core, mac, address).toStage1();
    await node1.report({ stage: 'rootfs', step: 'fetching', file: HOSTILE, bytes: '1', total: '2' });
    await node1.report({ stage: 'live', step: 'started' });
    await node1.system('web', 'failed', HOSTILE);
    await api.core.events.flush();
    await signIn();
    await row('node1').getByText('system-failed').waitFor();
    await row('node1').click();
    await page.locator('#timeline .event').first().waitFor();
    expect(await textOf('.diagnosis')).toContain(HOSTILE);
    expect(await textOf('.inventory')).toContain(HOSTILE);
    expect(await textOf('.event .message')).toContain(HOSTILE);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(await page.locator('main img, dialog img, body script').count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test('search and status narrow the list; no width makes the page scroll sideways', async () => {
    new SceneMachine(api.core, parseMac('52:54:00:00:00:77'), parseIpv4('10.77.0.177')).dhcp('pxe');
    await api.core.events.flush();
    await signIn();
    await page.getByRole('searchbox').fill('00:77');
    expect(await page.locator('.machine:visible').count()).toBe(1);
    await page.getByRole('searchbox').fill('nothing like it');
    await page.getByText('No machine fits this search.').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'discovered 1' }).click();
    expect(await page.locator('.machine:visible .name').allTextContents()).toEqual(['52:54:00:00:00:77']);
    for (const width of [1280, 768, 400, 320]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  });

  test('survives a lost connection and shows what happened meanwhile', async () => {
    await signIn();
    api.dropConnections();
    new SceneMachine(api.core, mac, address).dhcp('pxe');
    await vi.waitFor(async () => expect(await row('node1').locator('.status').textContent()).toBe('booting'), 10_000);
    await vi.waitFor(async () => expect(await page.locator('#link').textContent()).toBe('live'), 10_000);
  });
});

test('every text is in the table', async () => {
  await signIn();
  await row('node1').click();
  const shown = (await page.evaluate(
    "[...document.querySelectorAll('body *')].flatMap((e) => [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()))",
  )) as string[];
  expect(shown).toContain('Machines');
  // A key without a text shows itself, in camel case or with an underscore.
  expect(shown.filter((word) => /^[a-z]+([A-Z][a-z]+|_[a-z]+)+$/.test(word))).toEqual([]);
});

test('nothing comes from elsewhere, and nothing else of the server is served', async () => {
  const wanted: string[] = [];
  page.on('request', (request) => wanted.push(request.url()));
  await signIn();
  expect(wanted.filter((url) => !url.startsWith(api.url))).toEqual([]);
  const response = await fetch(api.url);
  expect(response.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(response.headers.get('content-security-policy')).not.toContain('unsafe');
  for (const path of [
    '/../http/app.ts',
    '/%2e%2e/http/app.ts',
    '/..%2fhttp%2fapp.ts',
    '/.git/config',
    '/%00',
    '/app.js%00.html',
  ]) {
    expect((await fetch(api.url + path)).status, path).toBeGreaterThanOrEqual(400);
  }
});
