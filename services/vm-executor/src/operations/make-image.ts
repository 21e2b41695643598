import { sleep } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { ImageFacts } from '../images/import.ts';
import { type Procedure, undoing } from '../vm/procedure.ts';
import type { VmSteps } from '../vm/procedures.ts';
import type { VmRecord } from '../vm/record.ts';
import { beginning } from './begin.ts';
import { freeze, isOn, thaw } from './quiesce.ts';
import { amended, requestUnderWay, underWay } from './under-way.ts';

const LOOK_EVERY_MS = 500;
/** What the copy takes of the progress that is shown; publishing takes the rest. */
const COPY_PERCENT = 60;

const draftOf = ({ storage, record }: VmSteps) => {
  const { vmId, operationId, params } = requestUnderWay(record(), 'makeImage');
  return { vmId, operationId, params, path: storage.imageDraftPath(vmId, operationId) };
};

const isPublished = ({ record }: VmSteps): boolean => underWay(record()).made !== undefined;

/**
 * A new version of an image out of a machine's disk: a whole copy of the disk at one moment, made on
 * the host and then published to all. QEMU copies the disk of a guest that is on, which goes on
 * meanwhile; that of one that is off is copied by qemu-img.
 */
export const MAKE_IMAGE: Procedure<VmSteps> = {
  name: 'makeImage',
  steps: [
    beginning,
    {
      ...freeze,
      async do(steps, signal) {
        // The moment that counts is over once a copy is under way.
        if (isPublished(steps)) return;
        const copy = await copyOf(steps, signal);
        if (copy === 'lost') await removeCopy(steps, signal);
        if (copy === 'lost' || copy === 'none') await freeze.do(steps, signal);
      },
    },
    {
      name: 'copy',
      waitsFor: 'a copy of its disk',
      async do(steps, signal) {
        const { hypervisor, storage, tell } = steps;
        if (isPublished(steps)) return;
        const { vmId, operationId } = draftOf(steps);
        const copy = await copyOf(steps, signal);
        if (copy === 'whole' || copy === 'underWay') return;
        // Another one is of another moment.
        if (copy === 'lost') throw lost();
        tell('copying its disk', 0);
        if (!(await isOn(steps, signal))) {
          const share = (percent: number): number => Math.floor((percent * COPY_PERCENT) / 100);
          const onProgress = (percent: number) => tell('copying its disk', share(percent));
          return storage.draftImage(vmId, operationId, onProgress, signal);
        }
        await removeCopy(steps, signal);
        const path = storage.liveCopyPath(vmId, operationId);
        await hypervisor.beginDiskCopy(vmId, path, signal);
      },
      undo: removeCopy,
    },
    thaw,
    {
      name: 'copied',
      waitsFor: 'the copy of its disk to be whole',
      do: waitForCopy,
      undo: { none: 'ending the copy is part of removing it' },
    },
    {
      name: 'publish',
      waitsFor: 'the storage of images to take it in',
      async do(steps, signal) {
        if (isPublished(steps)) return;
        const { images, tell, amend, save } = steps;
        const { operationId, params, path } = draftOf(steps);
        tell('publishing', COPY_PERCENT);
        const onProgress = (percent: number): void =>
          tell('publishing', COPY_PERCENT + Math.floor((percent * (100 - COPY_PERCENT)) / 100));
        const facts = await factsOf(steps, params.name);
        signal.throwIfAborted();
        const attempt = { id: operationId, onProgress, signal };
        const { version, sizeBytes } = await images.publish(path, facts, attempt);
        amend((record) => {
          const { isQuiesced } = underWay(record);
          const { name } = params;
          const made = { kind: 'makeImage', name, version, sizeBytes, isQuiesced } as const;
          return amended(record, { made });
        });
        await save(signal);
      },
      undo: ({ images, record }) => {
        const { operationId, params } = requestUnderWay(record(), 'makeImage');
        return images.discard(params.name, operationId);
      },
    },
    {
      name: 'draft',
      waitsFor: 'its copy to be removed',
      do: removeCopy,
      undo: { none: 'the image is what was wanted' },
    },
  ],
};

/** What an attempt at an image that failed has left. */
export const MAKE_IMAGE_UNDONE = undoing('undoMakeImage', [beginning], MAKE_IMAGE);

/** `lost`: the hypervisor had begun, and knows no more of it. */
async function copyOf(
  steps: VmSteps,
  signal: AbortSignal,
): Promise<'none' | 'underWay' | 'lost' | 'whole'> {
  const { hypervisor, storage } = steps;
  const { vmId, operationId } = draftOf(steps);
  const draft = await storage.imageDraft(vmId, operationId);
  if (draft !== 'begun') return draft;
  if (!(await isOn(steps, signal))) return 'none';
  const { kind } = await hypervisor.diskCopy(vmId, signal);
  return kind === 'running' || kind === 'done' ? 'underWay' : 'lost';
}

async function removeCopy(steps: VmSteps, signal: AbortSignal): Promise<void> {
  const { hypervisor, storage } = steps;
  const { vmId, operationId } = draftOf(steps);
  if (await isOn(steps, signal)) await hypervisor.endDiskCopy(vmId, signal);
  await storage.removeImageDraft(vmId, operationId, signal);
}

function lost(): VmFailure {
  const message = 'The copy of its disk has got lost.';
  return new VmFailure('HYPERVISOR_ERROR', message, { isTransient: true });
}

async function waitForCopy(steps: VmSteps, signal: AbortSignal): Promise<void> {
  const { clock, hypervisor, storage, tell } = steps;
  if (isPublished(steps)) return;
  const { vmId, operationId } = draftOf(steps);
  for (;;) {
    if ((await storage.imageDraft(vmId, operationId)) === 'whole') return;
    if (!(await isOn(steps, signal))) {
      const message = 'The machine went off while its disk was copied.';
      throw new VmFailure('HYPERVISOR_ERROR', message, { isTransient: true });
    }
    const copy = await hypervisor.diskCopy(vmId, signal);
    switch (copy.kind) {
      case 'done':
        return storage.keepLiveCopy(vmId, operationId, signal);
      case 'failed':
        throw new VmFailure('HYPERVISOR_ERROR', `Copying its disk failed: ${copy.message}`);
      case 'none':
        throw lost();
      case 'running':
        tell('copying its disk', Math.floor((copy.percent * COPY_PERCENT) / 100));
    }
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
}

/** What the new image says of itself: what the machine is, and its own image says. */
async function factsOf({ storage, record }: VmSteps, name: string): Promise<ImageFacts> {
  const { vmId, projectId, spec } = record();
  const { image, hardware } = spec;
  const { readyMarker, minMemoryMiB } = await storage.findImage(image);
  const isUefi = hardware?.firmware !== undefined && hardware.firmware !== 'bios';
  return {
    name,
    os: hardware?.os ?? 'linux',
    firmware: isUefi ? 'uefi' : 'bios',
    drivers: hardware?.devices ?? 'virtio',
    // What a guest needs beyond its image, its user knows.
    minMemoryMiB: minMemoryMiB ?? MIN_MEMORY_MIB,
    madeOf: { projectId, vmId },
    ...(readyMarker === undefined ? {} : { readyMarker }),
    format: 'qcow2',
  };
}

/** Of an image that does not say what it needs. */
const MIN_MEMORY_MIB = 64;

/** Why no image can be made of it now. */
export function whyNoImage({ state, isMade }: VmRecord): string | undefined {
  if ((state === 'running' || state === 'stopped') && isMade) return undefined;
  return `The machine is ${state}; only of one that runs or is stopped an image can be made.`;
}
