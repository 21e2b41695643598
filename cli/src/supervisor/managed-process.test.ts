import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createUndiciTransport,
  type HttpTransport,
  sleep,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hurriedClock } from '../testing.ts';
import { layoutOf } from './layout.ts';
import { ManagedProcess } from './managed-process.ts';
import { PortBook } from './ports.ts';

/** Answers ready, or why not; ends by itself when it is told to fail. */
const SERVICE = `
import { createServer } from 'node:http';
console.log('my environment has ' + Object.keys(process.env).sort().join(' '));
if (process.env.MODE === 'fail') process.exit(3);
createServer((request, response) => {
  if (process.env.MODE === 'unready') {
    response.writeHead(503).end(JSON.stringify({ reasons: ['it has no database'] }));
  } else response.end('{}');
}).listen(Number(process.env.PORT), '127.0.0.1');
`;

let directory: string;
let transport: HttpTransport;
let port: number;
const running: ManagedProcess[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'factory-managed-'));
  await writeFile(join(directory, 'service.mjs'), SERVICE);
  transport = createUndiciTransport();
  port = await (await PortBook.open(layoutOf('/x', directory))).portFor('service', 0);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
  await transport.close();
  await rm(directory, { recursive: true });
});

function managed(mode: string, onChange: () => void = () => undefined): ManagedProcess {
  const made = new ManagedProcess(
    {
      name: 'cluster-1/service',
      script: 'service.mjs',
      args: [],
      env: { MODE: mode, PORT: String(port) },
      readyUrl: `http://127.0.0.1:${port}/health/ready`,
      afterBootstrap: false,
    },
    { clock: hurriedClock, transport, root: directory, logDirectory: directory, onChange },
  );
  running.push(made);
  return made;
}

const until = (what: string, condition: () => boolean) =>
  waitFor(systemClock, what, 10_000, () => (condition() ? true : undefined), 5);

describe('a managed process', () => {
  it('runs until it is stopped, with its output in a log and only the environment it needs', async () => {
    const service = managed('ready');
    service.start();
    await service.waitUntilReady(300_000);
    expect(service.pid).toBeGreaterThan(0);
    await service.stop();
    expect(service.pid).toBeUndefined();
    const log = await readFile(join(directory, 'cluster-1-service.log'), 'utf8');
    expect(log).toContain('MODE');
    expect(log).not.toMatch(/VITEST|npm_/);
    service.start();
    expect(service.pid).toBeUndefined();
  });

  it('is started again when it ends', async () => {
    let changes = 0;
    const service = managed('ready', () => {
      changes += 1;
    });
    service.start();
    await service.waitUntilReady(300_000);
    const { pid } = service;
    process.kill(pid ?? 0, 'SIGKILL');
    await until('the restart', () => service.pid !== undefined && service.pid !== pid);
    await service.waitUntilReady(300_000);
    expect(changes).toBe(3);
  });

  it('that fails again and again is tried less and less often', async () => {
    const service = managed('fail');
    service.start();
    await until('restarts', () => service.restarts >= 2);
    await service.stop();
    const { restarts } = service;
    await sleep(systemClock, 300);
    expect(service.restarts).toBe(restarts);
  });

  it('says why it is not ready, and where its log is', async () => {
    const service = managed('unready');
    service.start();
    await until('the process', () => service.pid !== undefined);
    await expect(service.waitUntilReady(100_000)).rejects.toThrow(
      /it has no database. Its log: .*cluster-1-service.log/,
    );
    const waiting = service.waitUntilReady(100_000_000);
    const refused = expect(waiting).rejects.toThrow('was stopped');
    await service.stop();
    await refused;
  });
});

describe('the book of ports', () => {
  it('gives a part the same port again, and never one port twice', async () => {
    const layout = layoutOf('/x', directory);
    const book = await PortBook.open(layout);
    const first = await book.portFor('a', port);
    const second = await book.portFor('b', port);
    expect(first).toBe(port);
    expect(second).not.toBe(port);
    await book.save();
    const later = await PortBook.open(layout);
    expect(await later.portFor('b', port)).toBe(second);
    expect(await later.portFor('a', 1)).toBe(first);
  });
});
