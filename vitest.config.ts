import { defineConfig } from 'vitest/config';

/** Real libvirt, real guests: one file after the other, so that they don't slow each other down. */
const INTEGRATION = [
  'libvirt/test/**/*.test.ts',
  '**/*.integration.test.ts',
  'test/e2e/**/*.test.ts',
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
          exclude: [...EXCLUDED, ...INTEGRATION],
          globalSetup: ['test/setup/postgres.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: INTEGRATION,
          exclude: EXCLUDED,
          fileParallelism: false,
          globalSetup: ['test/setup/postgres.ts', 'test/setup/libvirt.ts'],
        },
      },
    ],
  },
});
