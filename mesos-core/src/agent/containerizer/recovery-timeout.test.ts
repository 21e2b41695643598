import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isSameProcessAlive,
  type ProcessIdentity,
  silentLogger,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Container, Containerizer, LaunchRequest } from './containerizer.ts';
import { RuntimeDirectory } from './launcher/runtime-directory.ts';
import { createMesosContainerizer } from './mesos-containerizer.ts';

let directory: string;
let containerizer: Containerizer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recovery-timeout-'));
  containerizer = newContainerizer();
});

afterEach(async () => {
  await containerizer.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

function newContainerizer(): Containerizer {
  const runtime = new RuntimeDirectory(join(directory, 'runtime'));
  return createMesosContainerizer({ runtime, clock: systemClock, logger: silentLogger });
}

function launch(value: string, changes: Partial<LaunchRequest> = {}): Promise<Container> {
  const { containerId = 'c' } = changes;
  const request: LaunchRequest = {
    ...{ frameworkId: 'f', executorId: 'e', containerId, command: { value } },
    environment: { PATH: process.env.PATH ?? '' },
    directory: join(directory, 'runs', containerId),
    user: undefined,
    resources: [],
    ...changes,
  };
  return containerizer.launch(request, async () => undefined);
}

/** The agent dies, and this comes after it. */
async function nextAgent(): Promise<void> {
  await containerizer.close();
  containerizer = newContainerizer();
}

async function gone(identity: ProcessIdentity): Promise<void> {
  await waitFor(systemClock, 'the end of a process', 20_000, async () =>
    (await isSameProcessAlive(identity)) ? undefined : true,
  );
}

async function said(containerId: string, text: string): Promise<void> {
  const path = join(directory, 'runs', containerId, 'stdout');
  await waitFor(systemClock, `"${text}"`, 20_000, async () => {
    const output = await readFile(path, 'utf8').catch(() => '');
    return output.includes(text) ? true : undefined;
  });
}

/** The pid of the newest launcher, which is gone when a newer one has come or nothing is left to do. */
async function launcherPid(): Promise<number> {
  const text = await readFile(join(directory, 'runtime', 'launcher'), 'utf8');
  return Number(text.split(' ')[0]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('a container whose agent stays away', { timeout: 60_000 }, () => {
  it('ends after its recovery timeout, with all that is in it; the next agent knows how', async () => {
    const outer = await launch('trap "echo told" TERM; echo up; sleep 100 & wait; sleep 100', {
      recoveryTimeoutMs: 1000,
    });
    const changes = { containerId: 'n', parentContainerId: 'c' };
    const inner = await launch('sleep 100', changes);
    await said('c', 'up');
    await containerizer.close();
    await gone(inner.identity);
    // It was asked first, and had some seconds to end by itself.
    await said('c', 'told');
    await gone(outer.identity);
    await nextAgent();
    const recovered = await containerizer.recover(outer.identity);
    expect((await recovered.exited).status).toBe(9);
  });

  it('goes on when an agent comes back in time, which waits for the next one then', async () => {
    const { identity } = await launch('sleep 100', { recoveryTimeoutMs: 600_000 });
    const first = await launcherPid();
    await nextAgent();
    expect(isAlive(first)).toBe(true);
    const recovered = await containerizer.recover(identity);
    await waitFor(systemClock, 'the first launcher', 20_000, () => !isAlive(first) || undefined);
    expect(await isSameProcessAlive(identity)).toBe(true);
    expect(isAlive(await launcherPid())).toBe(true);
    await recovered.kill();
    await recovered.exited;
  });

  it('goes on without a timeout, and nobody waits', async () => {
    const { identity } = await launch('sleep 100');
    const first = await launcherPid();
    await containerizer.close();
    await waitFor(systemClock, 'the launcher', 20_000, () => !isAlive(first) || undefined);
    expect(await isSameProcessAlive(identity)).toBe(true);
    await nextAgent();
    await (await containerizer.recover(identity)).kill();
  });
});
