import { fileURLToPath } from 'node:url';

/** The folder with package.json, from server/ (tests) as from dist/ (running). */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
export const profilesDir = `${packageRoot}/profiles`;
export const webDir = `${packageRoot}/server/web`;
/** What boot-assets/build.sh made: manifest.json and the files it names. */
export const assetsDir = `${packageRoot}/boot-assets/out`;

/** A worker's or child process's compiled entry, e.g. `store/worker.js`: threads cannot load TypeScript on Node 20. */
export function compiledEntry(name: string): string {
  return `${packageRoot}/dist/${name}`;
}
