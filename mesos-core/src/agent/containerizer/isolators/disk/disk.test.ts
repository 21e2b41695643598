import { link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseResources } from '../../../../protocol/index.ts';
import type { Limitation } from '../isolator.ts';
import { createDiskIsolator } from './disk-isolator.ts';
import { diskUsageBytes } from './disk-usage.ts';

const MIB = 1024 * 1024;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'disk-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe('disk usage', () => {
  it('counts what files take, hard links once, and never waits longer than it may', async () => {
    await mkdir(join(directory, 'a'));
    await writeFile(join(directory, 'a', 'file'), Buffer.alloc(2 * MIB, 1));
    await link(join(directory, 'a', 'file'), join(directory, 'again'));
    const options = { clock: systemClock, timeoutMs: 10_000 };
    const bytes = (await diskUsageBytes(directory, options)) ?? 0;
    expect(bytes).toBeGreaterThanOrEqual(2 * MIB);
    expect(bytes).toBeLessThan(3 * MIB);
    expect(await diskUsageBytes(join(directory, 'gone'), options)).toBe(0);
  });
});

describe('the disk isolator', () => {
  function isolator(isEnforced: boolean) {
    return createDiskIsolator({
      ...{ clock: systemClock, logger: silentLogger, intervalMs: 20, isEnforced },
      volumePath: () => '',
    });
  }
  const container = () => ({
    ...{ key: 'c', containerId: 'c', frameworkId: 'f', executorId: 'e', directory },
    ...{ user: undefined, resources: parseResources('cpus:1;disk:1') },
  });

  it('tells who uses more than its quota, in the words of Mesos', async () => {
    await writeFile(join(directory, 'file'), Buffer.alloc(2 * MIB, 1));
    const found: Limitation[] = [];
    const stop = isolator(true).watch?.(container(), (each) => found.push(each));
    const limitation = await waitFor(systemClock, 'a limitation', 5000, () => found[0]);
    stop?.();
    expect(limitation).toMatchObject({
      reason: 'REASON_CONTAINER_LIMITATION_DISK',
      message: expect.stringMatching(/^Disk usage \(\d+[KM]B\) exceeds quota \(1MB\)$/),
      resources: [{ name: 'disk', scalar: { value: 1 } }],
    });
  });

  it('only measures when the quota is not enforced', async () => {
    await writeFile(join(directory, 'file'), Buffer.alloc(2 * MIB, 1));
    const disk = isolator(false);
    const found: Limitation[] = [];
    const stop = disk.watch?.(container(), (each) => found.push(each));
    const usage = await waitFor(systemClock, 'a measurement', 5000, async () => {
      const { disk_used_bytes: used, ...rest } = (await disk.usage?.(container(), 1)) ?? {};
      return used === undefined ? undefined : { used, ...rest };
    });
    stop?.();
    expect(usage.used).toBeGreaterThan(2 * MIB - 1);
    expect(usage).toMatchObject({ disk_limit_bytes: MIB });
    expect(found).toEqual([]);
  });
});
