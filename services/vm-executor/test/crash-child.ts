import { dirname, join } from 'node:path';
import type { OperationRequest } from '@factory/contracts';
import { createStorageHelper, silentLogger, systemClock } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { Value } from 'typebox/value';
import { createGrantFiles } from '../src/hardware/grant-files.ts';
import { createHostHardware } from '../src/hardware/host-hardware.ts';
import { qemuDiskTools } from '../src/host/qemu-img.ts';
import { SimulatedHost } from '../src/hypervisor/simulated-host.ts';
import { createImagePublisher } from '../src/images/publisher.ts';
import { MAKE_IMAGE, MAKE_IMAGE_UNDONE } from '../src/operations/make-image.ts';
import { removeCutOffWritesOn } from '../src/storage/cut-off-writes.ts';
import { createFileStorage } from '../src/storage/files.ts';
import { testOperationId, testTask } from '../src/testing.ts';
import { killingAt } from '../src/vm/fault-at.ts';
import { runProcedure } from '../src/vm/procedure.ts';
import { PROCEDURES } from '../src/vm/procedures.ts';
import { newRecord, type VmRecord, withWish } from '../src/vm/record.ts';
import { recoverRecord } from '../src/vm/record-file.ts';
import { TEST_HARDWARE, testSteps } from '../src/vm/testing.ts';
import { type Work, WorkSchema } from './crash-work.ts';
import { watchFileCalls } from './file-faults.ts';
import { guestInFiles } from './guest-in-files.ts';
import { withFaultPoints } from './storage-faults.ts';

/**
 * A process that carries out one procedure of a VM after the other, as it is told, on the files of a
 * folder, until it kills itself at the point that it was told. Hypervisor and network are simulated.
 */
const clock = systemClock;
const plain = testTask(1);
const task = { ...plain, spec: { ...plain.spec, hardware: { gpus: 1, cpu: { pinned: true } } } };
const { vmId, spec } = task;
const helper = createStorageHelper({ clock, logger: silentLogger });
const image = { name: 'micro', virtualSizeBytes: 1 << 20, readyMarker: undefined };

/** What procedures are for that change what a VM is. */
const WISHES: Readonly<Record<string, typeof spec>> = {
  resize: { ...spec, vcpus: 2, diskGiB: 2 },
  rebuild: { ...spec, image: { ...spec.image, generation: 2 } },
};
const OPERATION: OperationRequest = {
  ...{ operationId: testOperationId(1), vmId, kind: 'makeImage', params: { name: 'web' } },
};

/** Calls that change files and may still be made. */
let callsLeft = Number.POSITIVE_INFINITY;
await watchFileCalls(() => {
  callsLeft -= 1;
  if (callsLeft < 0) die();
});

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

async function carryOut({ hostDir, procedure: name, killAt, isOn }: Work): Promise<void> {
  const procedure = [...PROCEDURES, MAKE_IMAGE, MAKE_IMAGE_UNDONE].find(
    (each) => each.name === name,
  );
  callsLeft = /^\d+$/.test(killAt) ? Number(killAt) : Number.POSITIVE_INFINITY;
  await removeCutOffWritesOn(hostDir);
  if (procedure === undefined) throw new Error(`no procedure ${name}`);
  const base = { path: join(dirname(hostDir), 'micro.qcow2'), format: 'qcow2' } as const;
  const storage = createFileStorage({
    hostDir,
    logger: silentLogger,
    images: {
      describe: async () => image,
      acquire: async () => ({ ...image, ...base, release: () => undefined }),
    },
    tools: qemuDiskTools,
  });
  await storage.prepare();
  const latency = { callMs: 0, powerOnMs: 0, guestBootMs: 0, guestShutdownMs: 0 };
  const host = new SimulatedHost({ clock, random: seededRandom(1), images: [image], latency });
  // The hypervisor of this process looks only whether there is a disk.
  host.folders.set(vmId, { record: undefined, hasDisk: true, hasSeed: true });
  const record = toBegin(name, recoverRecord(await storage.readVm(vmId), task, clock.nowMs()));
  const faults = killingAt(killAt, die);
  const simulated = testSteps(host, { clock, storage, record });
  const hardware = createHostHardware({
    reader: host.hardware,
    grants: createGrantFiles(hostDir),
  });
  hardware.identify(TEST_HARDWARE);
  const steps = {
    ...simulated,
    hardware,
    images: createImagePublisher({
      clock,
      helper: withFaultPoints(helper, faults),
      folder: join(hostDir, 'images'),
      sizeBytesMax: 1 << 30,
    }),
    hypervisor: isOn
      ? guestInFiles(simulated.hypervisor, { ...storage.paths(vmId), folder: hostDir })
      : simulated.hypervisor,
  };
  await runProcedure(procedure, steps, { signal: new AbortController().signal, faults });
  await storage.close();
}

/** The machine as the executor has it when it begins the procedure. */
function toBegin(name: string, recovered: { readonly record: VmRecord }): VmRecord {
  const { record: found } = recovered;
  const record = found.state === 'failed' ? newRecord(task, clock.nowMs()) : found;
  const wished = WISHES[name];
  if (wished !== undefined) {
    return withWish(record, { generation: 2, desired: 'stopped', spec: wished });
  }
  if (!/makeImage/i.test(name)) return record;
  const begun = { request: OPERATION, wasOn: false, failure: null, isQuiesced: false };
  const failure = { reason: null, message: 'a test' };
  const operation = record.operation ?? begun;
  return { ...record, operation: name === 'makeImage' ? operation : { ...operation, failure } };
}

process.on('message', async (message) => {
  // What goes wrong ends this process, with its words.
  await carryOut(Value.Parse(WorkSchema, message));
  process.send?.('done');
});
process.send?.('ready');
