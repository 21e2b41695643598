import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createUndiciTransport,
  isSameProcessAlive,
  silentLogger,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseResources } from '../../protocol/index.ts';
import type { Containerizer } from './containerizer.ts';
import { containerizerFromFlags } from './from-flags.ts';
import { detectCgroups } from './isolators/cgroups/hierarchy.ts';

const isRoot = process.geteuid?.() === 0;
const CGROUPS_ROOT = `mesos_test_${process.pid}`;

let directory: string;
let containerizer: Containerizer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cgroups-'));
  containerizer = await containerizerFromFlags(
    {
      ...{ workDir: directory, runtimeDir: undefined, launcher: 'linux' },
      ...{ isolation: 'cgroups/cpu,cgroups/mem,cgroups/pids', cgroupsRoot: CGROUPS_ROOT },
      ...{ cgroupsEnableCfs: true, cgroupsLimitSwap: false, cgroupsPidsMax: 20 },
      ...{ enforceContainerDiskQuota: false, containerDiskWatchIntervalMs: 1000 },
      ...{ imageProviders: '', dockerStoreDir: undefined, dockerRegistry: '' },
    },
    { clock: systemClock, logger: silentLogger, transport: createUndiciTransport() },
  );
});

afterEach(async () => {
  await containerizer.close();
  // A container's supervisor may write how it ended at this moment.
  await rm(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  // Nothing is left of the containers on this machine.
  for (const root of Object.values((await detectCgroups())?.roots ?? {})) {
    expect(await readdir(root)).not.toContain(CGROUPS_ROOT);
  }
});

function launch(value: string, resources: string, containerId: string = randomUUID()) {
  const request = {
    ...{ frameworkId: 'f', executorId: 'e', containerId, user: undefined },
    ...{ command: { value }, environment: { PATH: process.env.PATH ?? '' } },
    ...{ directory: join(directory, 'sandbox'), resources: parseResources(resources) },
  };
  return containerizer.launch(request, async () => undefined);
}

describe.runIf(isRoot)('containers in cgroups of this machine', { timeout: 60_000 }, () => {
  it('ends a container that takes more memory than it may, and says so', async () => {
    const container = await launch(
      `exec python3 -c 'x = bytearray(200 * 1024 * 1024)' || exec tail /dev/zero`,
      'cpus:1;mem:32',
    );
    const end = await container.exited;
    await container.forget();
    expect(end).toMatchObject({
      status: 9,
      reason: 'REASON_CONTAINER_LIMITATION_MEMORY',
      message: expect.stringMatching(
        /^Memory limit exceeded: Requested: 32MB Maximum Used: 32MB\n/,
      ),
      limitation: [{ name: 'mem', scalar: { value: 32 } }],
    });
  });

  it('ends the whole container when only a child of it was killed for its memory', async () => {
    const container = await launch('tail /dev/zero; sleep 1000', 'cpus:1;mem:32');
    const end = await container.exited;
    await container.forget();
    expect(end.reason).toBe('REASON_CONTAINER_LIMITATION_MEMORY');
  });

  it('kills what a container has hidden from its session, and measures what it uses', async () => {
    const script = `
      python3 -c 'import os,time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(1000)'; sleep 1000`;
    const container = await launch(script, 'cpus:1;mem:128');
    const usage = await waitFor(systemClock, 'a daemon', 20_000, async () => {
      const now = await container.usage();
      // The kernel counts memory a little later than processes.
      const isThere = (now.processes ?? 0) >= 3 && (now.mem_rss_bytes ?? 0) > 0;
      return isThere ? now : undefined;
    });
    expect(usage).toMatchObject({ cpus_limit: 1, mem_limit_bytes: 128 * 1024 * 1024 });
    expect(usage.mem_rss_bytes).toBeGreaterThan(0);
    expect(usage.cpus_user_time_secs).toBeGreaterThanOrEqual(0);
    await container.kill();
    expect((await container.exited).status).toBe(9);
    expect(await isSameProcessAlive(container.identity)).toBe(false);
    await container.forget();
  });

  it('leaves the next container of an id alone when it kills one', async () => {
    for (let round = 0; round < 10; round += 1) {
      const container = await launch('sleep 1000', 'cpus:1;mem:32', 'same');
      const killed = container.kill();
      expect((await container.exited).status).toBe(9);
      await container.forget();
      const next = await launch('exit 3', 'cpus:1;mem:32', 'same');
      expect((await next.exited).status).toBe(3 << 8);
      await next.forget();
      await killed;
    }
  });

  it('bounds the number of processes', async () => {
    const container = await launch('for i in $(seq 40); do sleep 5 & done; wait', 'cpus:1;mem:64');
    await container.exited;
    const stderr = await readFile(join(directory, 'sandbox', 'stderr'), 'utf8');
    expect(stderr).toMatch(/fork/i);
    await container.forget();
  });
});
