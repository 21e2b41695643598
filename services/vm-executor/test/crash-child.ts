import { writeFile } from 'node:fs/promises';
import { silentLogger, systemClock } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { createFileStorage } from '../src/storage/files.ts';
import { testTask } from '../src/testing.ts';
import { killingAt } from '../src/vm/fault-at.ts';
import { runProcedure } from '../src/vm/procedure.ts';
import { PROCEDURES } from '../src/vm/procedures.ts';
import { newRecord, withWish } from '../src/vm/record.ts';
import { recoverRecord } from '../src/vm/record-file.ts';
import { testSteps } from '../src/vm/testing.ts';

/**
 * A process that carries out one procedure of a VM on the files of a folder, and kills itself at
 * `FACTORY_FAULT_AT`: `node crash-child.ts <folder> <procedure>`.
 */
const [, , hostDir = '', name = ''] = process.argv;
const task = testTask(1);
const image = { name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: undefined };
const storage = createFileStorage({
  hostDir,
  logger: silentLogger,
  images: {
    describe: async () => image,
    acquire: async () => ({
      ...image,
      path: '/images/micro.qcow2',
      format: 'qcow2',
      release: () => undefined,
    }),
  },
  tools: {
    createOverlay: ({ path, basePath }) => writeFile(path, basePath),
    grow: ({ path, sizeBytes }) => writeFile(path, `grown ${sizeBytes}`),
    writeSeed: (path, seed) => writeFile(path, seed.hostname),
  },
});
await storage.prepare();
const clock = systemClock;
const latency = { callMs: 0, powerOnMs: 0, guestBootMs: 0, guestShutdownMs: 0 };
const host = new SimulatedHost({ clock, random: seededRandom(1), images: [image], latency });
// The hypervisor of this process looks only whether there is a disk.
host.folders.set(task.vmId, { record: undefined, hasDisk: true, hasSeed: true });
let record = recoverRecord(await storage.readVm(task.vmId), task, clock.nowMs()).record;
if (record.state === 'failed') record = newRecord(task, clock.nowMs());
/** What procedures are for that change what a VM is. */
const { spec } = task;
const WISHES: Readonly<Record<string, typeof spec>> = {
  resize: { ...spec, vcpus: 2, diskGiB: 2 },
  rebuild: { ...spec, image: { ...spec.image, generation: 2 } },
};
const wished = WISHES[name];
if (wished !== undefined) {
  record = withWish(record, { generation: 2, desired: 'stopped', spec: wished });
}
const steps = testSteps(host, { clock, storage, record });
const procedure = PROCEDURES.find((each) => each.name === name);
if (procedure === undefined) throw new Error(`no procedure ${name}`);
const { FACTORY_FAULT_AT } = process.env;
const faults = killingAt(FACTORY_FAULT_AT, () => {
  process.kill(process.pid, 'SIGKILL');
});
await runProcedure(procedure, steps, { signal: new AbortController().signal, faults });
await storage.close();
process.exit(0);
