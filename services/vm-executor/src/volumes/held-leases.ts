import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmIdSchema, VolumeIdSchema } from '@factory/contracts';
import { hasErrorCode, readJsonIfExists, writeFileAtomic } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { HeldLease } from './port.ts';

/** Which leases this host holds, by itself: told without asking storage that may be away. */
export interface HeldLeases {
  /** On the disk when it resolves. */
  add(lease: HeldLease): Promise<void>;
  remove(lease: HeldLease): Promise<void>;
  list(): Promise<readonly HeldLease[]>;
}

const heldFile = Compile(
  Type.Object({ vmId: VmIdSchema, volumeId: VolumeIdSchema, epoch: Type.Integer({ minimum: 1 }) }),
);

/** `<host dir>/volume-leases/<volumeId>.<epoch>.json` */
export function createHeldLeases(hostDir: string): HeldLeases {
  const folder = join(hostDir, 'volume-leases');
  const pathOf = ({ volumeId, epoch }: HeldLease): string =>
    join(folder, `${volumeId}.${epoch}.json`);
  return {
    add: async (lease) => {
      await mkdir(folder, { recursive: true, mode: 0o711 });
      await writeFileAtomic(pathOf(lease), JSON.stringify(lease));
    },
    remove: (lease) => rm(pathOf(lease), { force: true }),
    list: async () => {
      const names = await readdir(folder).catch((error: unknown) => {
        if (hasErrorCode(error, 'ENOENT')) return [];
        throw error;
      });
      const files = names.filter((name) => name.endsWith('.json'));
      const read = await Promise.all(files.map((name) => readJsonIfExists(join(folder, name))));
      return read.filter((value) => heldFile.Check(value));
    },
  };
}
