/** Who may import whom: see docs/ARCHITECTURE.md, "Layers". */
const OURS = '^(contracts|runtime|libvirt|mesos-core|migrations|services|cli|test)/';
const TESTS = '(\\.test\\.ts$|/test/|/testing\\.ts$|contract\\.ts$|/fake-[a-z-]+\\.ts$)';

/** Files of `from` may import only files of `allowed` (and of themselves). */
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: TESTS },
  to: { path: OURS, pathNot: [from, ...allowed] },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('runtime-imports-nothing', '^runtime/', []),
    only('contracts-import-nothing', '^contracts/', []),
    only('migrations-on-runtime', '^migrations/', ['^runtime/']),
    only('libvirt-on-runtime', '^libvirt/', ['^runtime/']),
    only('mesos-core-on-runtime', '^mesos-core/', ['^runtime/']),
    {
      name: 'services-share-contracts-only',
      severity: 'error',
      from: { path: '^services/([^/]+)/' },
      to: { path: '^(services/(?!$1/)|cli/|test/)' },
    },
    {
      name: 'cli-imports-no-service',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(services|test)/' },
    },
    {
      name: 'adapters-only',
      comment:
        'Decisions do no I/O: databases, queues and sockets belong to stores, adapters and main.ts.',
      severity: 'error',
      from: {
        path: '^services/[^/]+/src/(planning|vm|placement|resource-plan|next-action|task-status|vm-record)',
        pathNot: `${TESTS}|store`,
      },
      to: {
        path: 'node_modules/(knex|pg|bullmq|ioredis|undici)/',
        dependencyTypesNot: ['type-only'],
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      conditionNames: ['import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
