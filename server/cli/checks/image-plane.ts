import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Config } from '../../config.js';
import { type Check, failed, ok, skipped } from './check.js';

const FALLBACK = 'set listen.images: sendfile';

/** Who sends the images (`listen.images`), where that is not anybios itself. */
export function imagePlaneChecks(config: Config, path = process.env.PATH ?? ''): readonly Check[] {
  const { images, http } = config.listen;
  const folder = join(config.dataDir, 'nginx');
  switch (images) {
    case 'sendfile':
    case 'streams':
      return [];
    case 'nginx': {
      const places = [...path.split(delimiter), '/usr/sbin', '/usr/local/sbin'];
      const program = places.map((place) => join(place, 'nginx')).find((file) => existsSync(file));
      if (program === undefined)
        return [failed('nginx', 'is not installed', `apt-get install nginx-light, or ${FALLBACK}`)];
      const pid = join(folder, 'nginx.pid');
      const number = existsSync(pid) ? readFileSync(pid, 'utf8').trim() : '';
      if (number === '' || !existsSync(`/proc/${number}`)) return [ok('nginx', `${program} will send the images`)];
      return [ok('nginx', `${program} sends the images (pid ${number}, ${join(folder, 'nginx.conf')})`)];
    }
    case 'accel':
      return existsSync(join(folder, 'proxy.sock'))
        ? [ok('nginx', `your own is expected on port ${http} and passes requests to ${join(folder, 'proxy.sock')}`)]
        : [skipped('nginx', `your own is expected on port ${http}; its socket is made when the server starts`)];
  }
}
