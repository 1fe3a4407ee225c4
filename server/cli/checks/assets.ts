import { existsSync } from 'node:fs';
import { assetsDir } from '../../paths.js';
import { type Check, failed, ok } from './check.js';

const BUILD = '"anybios assets build" (or "npm run setup") makes them';

/** The boot assets are there. */
export async function assetChecks(folder = assetsDir): Promise<readonly Check[]> {
  const manifest = `${folder}/manifest.json`;
  return [
    existsSync(manifest)
      ? ok('boot assets', `${folder} is built`)
      : failed('boot assets', `there is no ${manifest}`, BUILD),
  ];
}
