import { loadOptions, result, rounded } from './options.js';
import { fetchTftp } from './tftp-fetch.js';

// So many machines, each with its own address, fetch one file at the same time, in lock-step or with windows.

const given = loadOptions({
  server: '10.98.0.1',
  port: '69',
  file: 'f1m',
  blksize: '1468',
  window: '1',
  together: '100',
});
const begun = performance.now();
const outcomes = await Promise.allSettled(
  Array.from({ length: Number(given.together) }, (_, machine) =>
    fetchTftp({
      server: given.server,
      port: Number(given.port),
      file: given.file,
      blksize: Number(given.blksize),
      window: Number(given.window),
      local: `10.64.${2 + Math.floor(machine / 250)}.${1 + (machine % 250)}`,
    }),
  ),
);
const seconds = (performance.now() - begun) / 1000;
const bytes = outcomes.reduce((sum, outcome) => sum + (outcome.status === 'fulfilled' ? outcome.value : 0), 0);
result({
  rate: rounded(bytes / seconds / 1e6),
  failed: outcomes.filter(({ status }) => status === 'rejected').length,
  bytes,
  seconds: rounded(seconds, 2),
});
