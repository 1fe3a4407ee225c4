import { describe, expect, test } from 'vitest';
import { NginxOutcomes } from '../../server/images/nginx-outcomes.js';
import type { StreamReport } from '../../server/images/stream-messages.js';

const token = 'a1'.repeat(16);
const begun: StreamReport = {
  id: 1,
  address: '10.77.0.11',
  name: 'images/sha256/x',
  phase: 'started',
  status: 200,
  bytes: 0,
  total: 1000,
  milliseconds: 0,
  token,
};

describe('what nginx says of the end of a download', () => {
  const rows: Record<string, [line: string, end: Partial<StreamReport> | undefined]> = {
    'all of it': [`anybios: ${token} 200 1000 OK`, { phase: 'sent', bytes: 1000 }],
    'a part': [`anybios: ${token} 206 1000 OK`, { phase: 'sent', bytes: 1000 }],
    'by syslog': [`<190>Nov 21 09:00:00 nginx: anybios: ${token} 200 1000 OK`, { phase: 'sent' }],
    'the client had it': [`anybios: ${token} 304 0 OK`, { phase: 'probed' }],
    'broken off': [
      `anybios: ${token} 200 400 `,
      { phase: 'failed', bytes: 400, reason: 'the client closed the connection' },
    ],
    'not all of it, though complete': [`anybios: ${token} 200 400 OK`, { phase: 'failed', bytes: 400 }],
    refused: [`anybios: ${token} 403 10 OK`, { phase: 'failed', reason: 'nginx answered 403' }],
    'another download': [`anybios: ${'b'.repeat(32)} 200 1000 OK`, undefined],
    rubbish: ['GET / 200', undefined],
  };
  test.each(Object.entries(rows))('%s', (_, [line, end]) => {
    const told: StreamReport[] = [];
    const outcomes = new NginxOutcomes((report) => told.push(report));
    outcomes.began(token, begun);
    outcomes.line(line);
    outcomes.line(line);
    expect(told).toEqual(end === undefined ? [] : [expect.objectContaining(end)]);
  });

  test('an end that is heard before the beginning', () => {
    const told: StreamReport[] = [];
    const outcomes = new NginxOutcomes((report) => told.push(report));
    outcomes.line(`anybios: ${token} 200 1000 OK`);
    outcomes.began(token, begun);
    expect(told).toMatchObject([{ phase: 'sent', bytes: 1000 }]);
  });

  test('nginx ended', () => {
    const told: StreamReport[] = [];
    const outcomes = new NginxOutcomes((report) => told.push(report));
    outcomes.began(token, begun);
    outcomes.failAll('nginx ended (SIGKILL)');
    outcomes.line(`anybios: ${token} 200 1000 OK`);
    expect(told).toMatchObject([{ phase: 'failed', reason: 'nginx ended (SIGKILL)' }]);
  });
});
