import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { testVmId } from '../src/testing.ts';
import { CREATE, DELETE } from '../src/vm/procedures.ts';

const CHILD = fileURLToPath(new URL('./crash-child.ts', import.meta.url));
const vmId = testVmId(1);

/** Carries the procedure out in a process of its own; gives how that ended. */
async function run(hostDir: string, procedure: string, faultAt = ''): Promise<string | number> {
  const env = { ...process.env, FACTORY_FAULT_AT: faultAt };
  const child = spawn(process.execPath, [CHILD, hostDir, procedure], { env, stdio: 'inherit' });
  const [code, signal] = await once(child, 'exit');
  return signal ?? code;
}

const points = [CREATE, DELETE].flatMap(({ name, steps }) =>
  steps.flatMap((step) =>
    ['before', 'after'].map((when) => [`${name}/${step.name}/${when}`, name] as const),
  ),
);

/** Three starts of Node, on a machine that may have more to do. */
const TIMEOUT_MS = 60_000;

/** Steps that leave something on the disk. */
const changes = [
  ...['resize/disk', 'resize/settled'],
  ...['rebuild/disk', 'rebuild/swap', 'rebuild/settled'],
].flatMap((step) => ['before', 'after'].map((when) => `${step}/${when}`));

describe('a process that is killed (SIGKILL) on real files', () => {
  let hostDir: string;
  beforeEach(async () => {
    hostDir = await mkdtemp(join(tmpdir(), 'factory-crash-'));
  });
  afterEach(() => rm(hostDir, { recursive: true }));

  it.each(points)(
    'at %s leaves files that the next one goes on with',
    async (point, name) => {
      if (name === 'delete') expect(await run(hostDir, 'create')).toBe(0);
      expect(await run(hostDir, name, point)).toBe('SIGKILL');
      expect(await run(hostDir, name)).toBe(0);
      const left = async (folder: string) => (await readdir(join(hostDir, folder))).toSorted();
      if (name === 'delete') {
        expect([await left('overlays'), await left('leases')]).toEqual([[], []]);
        return;
      }
      const folder = join('overlays', vmId);
      expect(await left(folder)).toEqual(['disk.qcow2', 'record.json', 'seed.iso']);
      expect(await left('leases')).toEqual([`${vmId}.json`]);
      const record = await readFile(join(hostDir, folder, 'record.json'), 'utf8');
      expect(JSON.parse(record)).toMatchObject({ isMade: true });
    },
    TIMEOUT_MS,
  );

  it.each(changes)(
    'at %s leaves a machine that the next one makes what it is to be',
    async (point) => {
      const [name = ''] = point.split('/');
      expect(await run(hostDir, 'create')).toBe(0);
      expect(await run(hostDir, name, point)).toBe('SIGKILL');
      const folder = join(hostDir, 'overlays', vmId);
      expect(await readdir(folder)).toContain('disk.qcow2');
      expect(await run(hostDir, name)).toBe(0);
      expect((await readdir(folder)).toSorted()).toEqual([
        ...['disk.qcow2', 'record.json', 'seed.iso'],
      ]);
      const record = JSON.parse(await readFile(join(folder, 'record.json'), 'utf8'));
      expect(record).toMatchObject({ wishedSpec: null, hasNewDisk: false });
      expect(record.spec).toMatchObject(
        name === 'resize' ? { vcpus: 2, diskGiB: 2 } : { image: { generation: 2 } },
      );
    },
    TIMEOUT_MS,
  );
});
