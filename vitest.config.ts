import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

const ALONE = 'test/boot/vm.test.ts';

// unit: no root, no network beyond loopback, seconds. interop: real clients in namespaces. boot: real firmware in QEMU.
// In this order, each when the one before has ended (`groupOrder`; one above 0 is what lets a project have workers of its own).
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**', 'test/boot/**'],
          globalSetup: ['test/support/build.ts'],
          setupFiles: ['test/support/property-seed.ts'],
          // Of what hangs; a busy machine is no reason to fail.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Vitest leaves one core free, which would be every second one here.
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Each file has namespaces (named by its process) or loopback addresses of its own.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'boot',
          include: ['test/boot/**/*.test.ts'],
          exclude: [ALONE],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Each file has a lab of its own name. Many wait for leases and time-outs while others boot: three at once take a fifth less
          // time than two on two processors, and more would wait for them.
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          // A machine inside an emulated machine: beside anything else it takes three times as long, and its clock with it.
          name: 'boot-alone',
          include: [ALONE],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          sequence: { groupOrder: 4 },
          maxWorkers: 1,
        },
      },
    ],
  },
});
