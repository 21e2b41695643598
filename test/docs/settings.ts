import { describeSettings, type SettingDescription } from '@factory/runtime';
import { AGENT_FLAGS } from '../../mesos-core/src/agent/flags.ts';
import { MASTER_FLAGS } from '../../mesos-core/src/master/flags.ts';
import { settingsDefinition as apiGateway } from '../../services/api-gateway/src/settings.ts';
import { settingsDefinition as apiServer } from '../../services/api-server/src/settings.ts';
import { settingsDefinition as clusterServer } from '../../services/cluster-server/src/settings.ts';
import { executorSettings, standDownSettings } from '../../services/vm-executor/src/settings.ts';
import { settingsDefinition as vmScheduler } from '../../services/vm-scheduler/src/settings.ts';

type Definition = Parameters<typeof describeSettings>[0];

/** One process and what can be set of it. */
interface Part {
  readonly name: string;
  /** Its entry file, from the root of the checkout. */
  readonly script: string;
  readonly settings: Definition;
  /** Its command line is read too. */
  readonly readsFlags?: true;
  readonly remark?: string;
}

const MESOS_DURATIONS =
  'Flags as Apache Mesos has them: `--name=value`; durations as `500ms`, `10secs`, `1.5mins`.';

const PARTS: readonly Part[] = [
  {
    name: 'api-gateway',
    script: 'services/api-gateway/src/main.ts',
    settings: apiGateway,
  },
  { name: 'api-server', script: 'services/api-server/src/main.ts', settings: apiServer },
  {
    name: 'cluster-server',
    script: 'services/cluster-server/src/main.ts',
    settings: clusterServer,
  },
  { name: 'vm-scheduler', script: 'services/vm-scheduler/src/main.ts', settings: vmScheduler },
  {
    name: 'mesos-master',
    script: 'mesos-core/src/master/main.ts',
    settings: MASTER_FLAGS,
    readsFlags: true,
    remark: MESOS_DURATIONS,
  },
  {
    name: 'mesos-agent',
    script: 'mesos-core/src/agent/main.ts',
    settings: AGENT_FLAGS,
    readsFlags: true,
    remark: `${MESOS_DURATIONS} What executors get is set here too: see vm-executor.`,
  },
  {
    name: 'vm-executor',
    script: 'services/vm-executor/src/main.ts',
    settings: executorSettings,
    remark:
      "Started by the agent: its environment is the agent's `--executor_environment_variables`, " +
      "and Mesos' own `MESOS_…` variables besides.",
  },
  {
    name: 'stand-down',
    script: 'services/vm-executor/src/stand-down-main.ts',
    settings: standDownSettings,
    readsFlags: true,
    remark:
      'A program, not a service: `./factory down` runs it to take guests and networks ' +
      'off the machine. `--purge` (no variable) removes disks, leases and logs too.',
  },
];

const HEAD = `# Settings

Made from the code by \`test/docs/settings.ts\`. Change a setting in the service's \`settings.ts\` (in
\`mesos-core\`: \`flags.ts\`), then write this page anew:
\`FACTORY_WRITE_DOCS=1 npx vitest run test/docs\`.

A setting comes from its flag, where it has one, else from the environment, else from its default. A
process checks all of them when it starts, names everything that is wrong at once, and ends. Secrets
are best given as files: \`<NAME>_FILE\` holds the path. \`./factory up\` sets all of this by itself
(\`cli/src/supervisor/process-plan.ts\`); the page is for those who run the parts on their own.`;

const TAIL = `## Every process

| variable | meaning | default |
| --- | --- | --- |
| \`FACTORY_LOG_LEVEL\` | \`trace\`, \`debug\`, \`info\`, \`warn\`, \`error\` or \`silent\`; logs are JSON lines | \`info\` |
| \`NODE_COMPILE_CACHE\` | where Node keeps compiled code between starts | \`.toolchain/compile-cache\` by \`./factory\` |

## ./factory

| variable | meaning | default |
| --- | --- | --- |
| \`FACTORY_DATA_DIR\` | the data directory, where no \`--data\` is given | \`.factory\` in the checkout |
| \`FACTORY_URL\`, \`FACTORY_KEY_ID\`, \`FACTORY_SECRET\` | a factory elsewhere and a key pair for it; all three or none | the factory of the data directory |
| \`DATABASE_URL\` or \`DATABASE_URL_FILE\` | PostgreSQL for \`up\`: the api-server uses that database, each cluster one beside it (\`<database>_cluster_1\`, made when missing) | one of its own in the data directory |
| \`REDIS_URL\` | passed on to the gateway and the api-server by \`up\` | none |

Besides \`REDIS_URL\` and what every process has, \`up\` passes on only \`PATH\`, \`HOME\`, \`LANG\` and
\`TZ\`.`;

/** \`docs/settings.md\`, as it has to be. */
export function settingsDocument(): string {
  return `${[HEAD, ...PARTS.map(sectionOf), TAIL].join('\n\n')}\n`;
}

/** Names of all variables in the page, for checks. */
export function documentedVariables(): readonly string[] {
  return PARTS.flatMap(({ settings }) => Object.values(settings).map(({ env }) => env));
}

function sectionOf({ name, script, settings, readsFlags, remark }: Part): string {
  const heads = ['variable', ...(readsFlags ? ['flag'] : []), 'meaning', 'allowed', 'default'];
  const lines = [
    `## ${name}`,
    '',
    `\`${script}\`${remark === undefined ? '' : `. ${remark}`}`,
    '',
    `| ${heads.join(' | ')} |`,
    `| ${heads.map(() => '---').join(' | ')} |`,
    ...describeSettings(settings).map((each) => rowOf(each, readsFlags === true)),
  ];
  return lines.join('\n');
}

function rowOf(setting: SettingDescription, withFlag: boolean): string {
  const { env, flag, describe, expects } = setting;
  const variables = env.split(', ').map((each) => `\`${each}\``);
  const flagCell = flag === undefined ? '' : `\`${flag}\``;
  const cells = [
    variables.join(' or '),
    ...(withFlag ? [flagCell] : []),
    describe,
    expects,
    defaultOf(setting),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('<', '&lt;')).join(' | ')} |`;
}

function defaultOf(setting: SettingDescription): string {
  const text = setting.default;
  if (text === undefined) return '**required**';
  if (text === 'none') return 'none';
  return text === '' ? 'empty' : `\`${text}\``;
}
