import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VmIdSchema } from '@factory/contracts';
import { hasErrorCode, readJsonIfExists, writeFileAtomic } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { GrantStore, HardwareGrant } from './port.ts';

const grantFile = Compile(
  Type.Object({
    vmId: VmIdSchema,
    gpus: Type.Array(Type.String()),
    cpus: Type.Array(Type.Integer({ minimum: 0 })),
    nodes: Type.Array(Type.Integer({ minimum: 0 })),
  }),
);

/** A file that says who holds what can't be read: nothing is handed out beside it. */
export class UnreadableGrantError extends Error {
  readonly code = 'FACTORY_ERR_UNREADABLE_GRANT';
  constructor(path: string) {
    super(
      `${path} should say what of this host a machine holds, and can't be read: look at it, and remove it if its machine is gone`,
    );
    this.name = 'UnreadableGrantError';
  }
}

/** `<host dir>/hardware/<vmId>.json` */
export function createGrantFiles(hostDir: string): GrantStore {
  const folder = join(hostDir, 'hardware');
  const read = async (name: string): Promise<readonly HardwareGrant[]> => {
    const path = join(folder, name);
    const value = await readJsonIfExists(path);
    // Removed since the folder was listed.
    if (value === undefined) return [];
    if (!grantFile.Check(value)) throw new UnreadableGrantError(path);
    return [value];
  };
  return {
    list: async () => {
      const names = await readdir(folder).catch((error: unknown) => {
        if (hasErrorCode(error, 'ENOENT')) return [];
        throw error;
      });
      const files = names.filter((name) => name.endsWith('.json'));
      return (await Promise.all(files.map(read))).flat();
    },
    write: async (grant) => {
      await mkdir(folder, { recursive: true, mode: 0o711 });
      await writeFileAtomic(join(folder, `${grant.vmId}.json`), JSON.stringify(grant));
    },
    remove: (vmId) => rm(join(folder, `${vmId}.json`), { force: true }),
  };
}
