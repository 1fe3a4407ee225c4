import { defineConfig } from 'vitest/config';

// Measurements, not tests: by hand (npm run bench), on a machine that does nothing else.
export default defineConfig({
  test: {
    include: ['test/bench/**/*.bench.ts'],
    testTimeout: 600_000,
    fileParallelism: false,
    pool: 'forks',
    execArgv: (process.env.BENCH_NODE ?? '').split(' ').filter(Boolean),
  },
});
