import { defineConfig } from 'vitest/config';

/** Real libvirt, real guests, real networks. */
const HOSTS = [
  'libvirt/test/**/*.test.ts',
  'services/**/*.integration.test.ts',
  'test/two-hosts/**/*.integration.test.ts',
  'test/e2e/**/*.test.ts',
];
/** Real processes without libvirt: masters, agents, containers, ZooKeeper, executors that are killed. */
const PROCESSES = [
  'services/vm-executor/test/crashes*.integration.test.ts',
  'mesos-core/**/*.integration.test.ts',
  'test/failover/**/*.integration.test.ts',
  'test/conformance/**/*.test.ts',
];
const EXCLUDED = ['**/node_modules/**', '**/.factory/**', '**/.toolchain/**'];

export default defineConfig({
  test: {
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...EXCLUDED, ...HOSTS, ...PROCESSES],
          globalSetup: ['test/setup/postgres.ts'],
        },
      },
      // Of these, one file after the other, so that they don't slow each other down.
      {
        extends: true,
        test: {
          name: 'hosts',
          include: HOSTS,
          exclude: [...EXCLUDED, ...PROCESSES],
          fileParallelism: false,
          globalSetup: ['test/setup/libvirt.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: PROCESSES,
          exclude: EXCLUDED,
          fileParallelism: false,
        },
      },
    ],
  },
});
