import {
  type Clock,
  defineSettings,
  identifyProcess,
  isSameProcessAlive,
  type Logger,
  optional,
  type ProcessIdentity,
  readSettings,
  secretSetting,
  type Timer,
} from '@factory/runtime';
import {
  type EmbeddedPostgres,
  ensureDatabase,
  startEmbeddedPostgres,
} from '@factory/runtime/postgres';

const WATCH_INTERVAL_MS = 1_000;

const settingsDefinition = defineSettings({
  databaseUrl: optional(
    secretSetting({
      env: 'DATABASE_URL',
      describe: 'PostgreSQL to use. Without it, one of our own runs under the data directory.',
    }),
  ),
});

/** Where the factory keeps its databases: in a server of its own, or in one that it was given. */
export interface Databases {
  /** `postgres://…` of the api-server's database; holds a password: not for logs. */
  readonly apiUrl: string;
  /** The same for a cluster's database, which is made when there is none. */
  clusterUrl(cluster: string): Promise<string>;
  /** Stops the server, if it is our own. */
  close(): Promise<void>;
}

/**
 * The databases of the server that `environment` names with `DATABASE_URL` (or
 * `DATABASE_URL_FILE`), else of one of our own.
 * @throws SettingsError when that is no usable setting.
 */
export function openDatabases(
  options: EmbeddedOptions,
  environment: NodeJS.ProcessEnv,
): Promise<Databases> {
  const { databaseUrl } = readSettings(settingsDefinition, environment);
  if (databaseUrl === undefined) return embeddedDatabases(options);
  return Promise.resolve(givenDatabases(databaseUrl));
}

/**
 * The databases on the server of `databaseUrl`: the api-server uses that database itself, and each
 * cluster one beside it with the cluster's name added.
 */
function givenDatabases(databaseUrl: string): Databases {
  return {
    apiUrl: databaseUrl,
    async clusterUrl(cluster) {
      const url = clusterDatabaseUrl(databaseUrl, cluster);
      await ensureDatabase(databaseUrl, decodeURIComponent(new URL(url).pathname.slice(1)));
      return url;
    },
    close: async () => undefined,
  };
}

/** The URL with the cluster's name added to the database's. Pure. */
export function clusterDatabaseUrl(databaseUrl: string, cluster: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `${url.pathname === '/' ? '/factory' : url.pathname}_${nameOf(cluster)}`;
  return url.href;
}

interface EmbeddedOptions {
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A PostgreSQL of our own below `dataDirectory`, started again whenever it dies. */
async function embeddedDatabases(options: EmbeddedOptions): Promise<Databases> {
  const server = await startEmbeddedPostgres(options);
  const watch = await startWatch(server, options);
  await server.ensureDatabase('factory_api');
  return {
    apiUrl: server.url('factory_api'),
    async clusterUrl(cluster) {
      const name = `factory_${nameOf(cluster)}`;
      await server.ensureDatabase(name);
      return server.url(name);
    },
    close: () => watch.stop(),
  };
}

function nameOf(cluster: string): string {
  return cluster.replaceAll('-', '_');
}

interface Watch {
  /** Ends the watch, then the server. */
  stop(): Promise<void>;
}

/** Starts the server again when it is gone: same port, same password, so clients just reconnect. */
async function startWatch(first: EmbeddedPostgres, options: EmbeddedOptions): Promise<Watch> {
  const { clock, logger } = options;
  let server = first;
  let identity = await identifyProcess(first.pid);
  let timer: Timer | undefined;
  let looking: Promise<void> = Promise.resolve();
  let isStopped = false;
  const look = async (): Promise<void> => {
    if (await isAlive(identity)) return;
    logger.warn({ pid: server.pid }, 'PostgreSQL is gone; starting it again');
    server = await startEmbeddedPostgres(options);
    identity = await identifyProcess(server.pid);
  };
  const lookLater = (): void => {
    if (isStopped) return;
    timer = clock.after(WATCH_INTERVAL_MS, () => {
      looking = look()
        .catch((err: unknown) => logger.error({ err }, 'PostgreSQL does not start; trying on'))
        .finally(lookLater);
    });
  };
  lookLater();
  return {
    async stop() {
      isStopped = true;
      timer?.cancel();
      await looking;
      await server.stop();
    },
  };
}

async function isAlive(identity: ProcessIdentity | undefined): Promise<boolean> {
  return identity !== undefined && (await isSameProcessAlive(identity));
}
