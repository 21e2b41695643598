import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock, waitFor } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { identifyProcess } from '../process-identity.ts';
import { type EmbeddedPostgres, EmbeddedPostgresError, startEmbeddedPostgres } from './embedded.ts';
import { parsePostmasterPid } from './postmaster-pid.ts';

let root: string;
const start = (): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({
    // Below a directory with mode 0700, as a checkout in a home is.
    dataDirectory: join(root, 'private', 'postgres'),
    logger: silentLogger,
    clock: systemClock,
  });

async function query(url: string, text: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(text);
    return rows[0]?.value;
  } finally {
    await client.end();
  }
}

const gone = (pid: number): Promise<true> =>
  waitFor(systemClock, 'the end of the server', 5000, async () =>
    (await identifyProcess(pid)) === undefined ? true : undefined,
  );

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'embedded-'));
});
afterAll(async () => {
  await (await start()).stop();
  await rm(root, { recursive: true });
});

describe('the embedded PostgreSQL', () => {
  it('is made once for all who start it at the same time, durable, and not as root', async () => {
    const [server, same] = await Promise.all([start(), start()]);
    expect(same.pid).toBe(server.pid);
    const url = server.url('postgres');
    expect(await query(url, "select current_setting('fsync') as value")).toBe('on');
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8');
    expect(status).not.toMatch(/^Uid:\s+0\s/m);
    const file = await stat(join(root, 'private', 'postgres', 'instance.json'));
    expect(file.mode & 0o777).toBe(0o600);
  });

  it('asks for the password, and keeps it out of its command line', async () => {
    const server = await start();
    const url = new URL(server.url('postgres'));
    const commandLine = await readFile(`/proc/${server.pid}/cmdline`, 'utf8');
    expect(commandLine).not.toContain(url.password);
    url.password = 'wrong';
    await expect(query(url.href, 'select 1')).rejects.toThrow('password authentication failed');
  });

  it('makes databases of any name, once', async () => {
    const server = await start();
    const name = 'odd "name" ü';
    await Promise.all([server.ensureDatabase(name), server.ensureDatabase(name)]);
    await server.ensureDatabase(name);
    const url = server.url(name);
    expect(await query(url, 'select current_database() as value')).toBe(name);
  });

  it('keeps data, port and password over a stop and over a crash', async () => {
    const server = await start();
    await server.ensureDatabase('kept');
    await query(server.url('kept'), 'create table t as select 5 as value');
    await server.stop();
    await gone(server.pid);
    await server.stop();
    const again = await start();
    expect(again.pid).not.toBe(server.pid);
    expect(again.url('kept')).toBe(server.url('kept'));
    process.kill(again.pid, 'SIGKILL');
    await gone(again.pid);
    const third = await start();
    expect(await query(third.url('kept'), 'select value from t')).toBe(5);
  });

  it('is not fooled by a pid file whose number belongs to another process', async () => {
    const server = await start();
    await server.stop();
    const pidFile = join(root, 'private', 'postgres', 'cluster', 'postmaster.pid');
    await writeFile(pidFile, `${process.pid}\n/x\n1\n5432\n\n127.0.0.1\n  1 2\nready   \n`);
    const again = await start();
    expect(await query(again.url('postgres'), 'select 1 as value')).toBe(1);
    expect(again.pid).not.toBe(process.pid);
  });

  it('moves to another port when its own is taken', async () => {
    const server = await start();
    const { port } = new URL(server.url('postgres'));
    await server.stop();
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(Number(port), '127.0.0.1', resolve));
    const moved = await start();
    expect(new URL(moved.url('postgres')).port).not.toBe(port);
    expect(await query(moved.url('postgres'), 'select 1 as value')).toBe(1);
    await new Promise((resolve) => squatter.close(resolve));
  });
});

it('says why it could not start', async () => {
  const dataDirectory = join(root, 'old');
  await mkdir(join(dataDirectory, 'cluster'), { recursive: true });
  await writeFile(join(dataDirectory, 'cluster', 'PG_VERSION'), '9.6\n');
  const failure = startEmbeddedPostgres({
    dataDirectory,
    logger: silentLogger,
    clock: systemClock,
  });
  await expect(failure).rejects.toThrow(EmbeddedPostgresError);
  await expect(failure).rejects.toThrow(/PostgreSQL ended while starting; its log ends with:\n.+/);
});

it('reads postmaster.pid in all its states', () => {
  const text = '77\n/data\n1700000000\n5433\n\n127.0.0.1\n 123 4\nready   \n';
  expect(parsePostmasterPid(text)).toEqual({ pid: 77, port: 5433, ready: true });
  expect(parsePostmasterPid(text.replace('ready', 'starting'))?.ready).toBe(false);
  expect(parsePostmasterPid('77\n/data\n')).toEqual({ pid: 77, port: undefined, ready: false });
  expect(parsePostmasterPid('')).toBeUndefined();
  expect(parsePostmasterPid('-77\n')).toBeUndefined();
});
