import { expect, it } from 'vitest';
import { Pace } from '../../server/dhcp/pace.js';

it('lets packets come together that come faster than one in 0.3 ms', () => {
  const pace = new Pace();
  const looks = Array.from({ length: 5 }, () => {
    pace.wait();
    return performance.now();
  });
  for (const [before, look] of looks.slice(1).entries()) expect(look - (looks[before] ?? 0)).toBeGreaterThan(0.25);
});
