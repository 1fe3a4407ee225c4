import { expect, test } from 'vitest';
import { heardCheck, judgeHeard } from '../../../server/cli/checks/heard.js';
import { unauthorized } from '../../../server/domain/errors.js';

const fact = (kind: string, address: string | undefined) => ({
  kind,
  ...(address === undefined ? {} : { address }),
  interface: 'eth0',
  text: '',
  count: 2,
  lastSeenAt: 0,
});

test('nothing heard; servers and relays are named; an unknown network is a warning', () => {
  expect(judgeHeard([])).toMatchObject({ state: 'ok' });
  expect(judgeHeard([fact('server', '10.77.0.2'), fact('vlan', undefined)])).toMatchObject({
    state: 'ok',
    message: 'the server heard: DHCP server 10.77.0.2 on eth0 (2×), vlan on eth0 (2×)',
  });
  const many = Array.from({ length: 6 }, (_, n) => fact('network', `10.${n}.0.1`));
  expect(judgeHeard(many)).toMatchObject({ state: 'warning', message: expect.stringMatching(/, and 2 more$/) });
});

test('a server that does not let us ask is no failure of this computer', async () => {
  const check = await heardCheck({ get: () => Promise.reject(unauthorized('no token')) });
  expect(check).toMatchObject({ state: 'skipped', message: 'what the server heard is not known: no token' });
});
