import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileExists } from '@factory/runtime';
import { VmFailure } from '../src/failures.ts';
import type { Hypervisor } from '../src/hypervisor/port.ts';

const run = promisify(execFile);

/**
 * The hypervisor with a guest that is on, and stays so while processes that speak with it are
 * killed: what QEMU and the guest's agent would remember is in files. As strict as they are.
 */
export function guestInFiles(
  hypervisor: Hypervisor,
  { folder, diskPath }: { readonly folder: string; readonly diskPath: string },
): Hypervisor {
  const frozen = join(folder, 'guest-is-frozen');
  const job = join(folder, 'backup-job-has-ended');
  const failed = (message: string) => new VmFailure('HYPERVISOR_ERROR', message);
  return {
    ...hypervisor,
    findDomain: async (vmId) => ({ vmId, power: { kind: 'on' }, detail: 'running, in files' }),
    async freeze() {
      if (await fileExists(frozen)) throw failed('frozen file systems are not frozen again');
      await writeFile(frozen, '');
    },
    thaw: () => rm(frozen, { force: true }),
    async beginDiskCopy(_vmId, toPath) {
      if (await fileExists(job)) throw failed('there is a job already');
      if (await fileExists(toPath)) throw failed(`${toPath} exists already`);
      await run('qemu-img', ['convert', '-U', '-O', 'qcow2', diskPath, toPath]);
      await writeFile(job, '');
    },
    diskCopy: async () => ({ kind: (await fileExists(job)) ? 'done' : 'none' }),
    endDiskCopy: () => rm(job, { force: true }),
  };
}
