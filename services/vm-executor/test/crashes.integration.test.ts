import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { testVmId } from '../src/testing.ts';
import { CREATE, DELETE } from '../src/vm/procedures.ts';
import { pointsOf } from './crash-work.ts';
import { KilledProcesses } from './killed-processes.ts';

const vmId = testVmId(1);

/** Steps that leave something on the disk. */
const changes = [
  ...['resize/disk', 'resize/settled'],
  ...['rebuild/disk', 'rebuild/swap', 'rebuild/settled'],
].flatMap((step) => ['before', 'after'].map((when) => `${step}/${when}`));

/** Some starts of Node, on a machine that may have more to do. */
const TIMEOUT_MS = 60_000;

describe.concurrent('a process that is killed (SIGKILL) on real files', () => {
  let processes: KilledProcesses;
  /** A host with a machine. */
  let made: string;
  beforeAll(async () => {
    processes = await KilledProcesses.create();
    made = await processes.host();
    expect(await processes.run(made, 'create')).toBe('done');
  });
  afterAll(() => processes.close());

  it.each([CREATE, DELETE].flatMap(pointsOf))(
    '(%s) leaves files that the next one goes on with',
    async (_where, killAt) => {
      const [name = ''] = killAt.split('/');
      const hostDir = await processes.host(name === 'delete' ? made : undefined);
      expect(await processes.run(hostDir, name, { killAt })).toBe('SIGKILL');
      expect(await processes.run(hostDir, name)).toBe('done');
      const left = async (folder: string) => (await readdir(join(hostDir, folder))).toSorted();
      if (name === 'delete') {
        expect([await left('overlays'), await left('leases')]).toEqual([[], []]);
        expect(await left('hardware')).toEqual([]);
        return;
      }
      const folder = join('overlays', vmId);
      expect(await left(folder)).toEqual(['disk.qcow2', 'record.json', 'seed.iso']);
      expect(await left('leases')).toEqual([`${vmId}.json`]);
      expect(await left('hardware')).toEqual([`${vmId}.json`]);
      const record = await readFile(join(hostDir, folder, 'record.json'), 'utf8');
      expect(JSON.parse(record)).toMatchObject({ isMade: true });
    },
    TIMEOUT_MS,
  );

  it.each(changes)(
    'at %s leaves a machine that the next one makes what it is to be',
    async (killAt) => {
      const [name = ''] = killAt.split('/');
      const hostDir = await processes.host(made);
      expect(await processes.run(hostDir, name, { killAt })).toBe('SIGKILL');
      const folder = join(hostDir, 'overlays', vmId);
      expect(await readdir(folder)).toContain('disk.qcow2');
      expect(await processes.run(hostDir, name)).toBe('done');
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
