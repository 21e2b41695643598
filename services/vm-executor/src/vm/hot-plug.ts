import { isDeepStrictEqual } from 'node:util';
import type { VmSpec, VolumeId, VolumeMount } from '@factory/contracts';
import { type Clock, sleep } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { PlannedDevice } from '../hypervisor/live-volumes.ts';
import type { Hypervisor } from '../hypervisor/port.ts';
import { plannedVolumes } from './planned.ts';
import type { Procedure } from './procedure.ts';
import type { VmRecord } from './record.ts';
import { settleChange, withSpec } from './spec-change.ts';
import { domain, intent, network, restated, type VmSteps, volumes } from './steps.ts';

/** What volumes of a record are looked at for. */
type Volumes = Pick<VmRecord, 'spec' | 'wishedSpec' | 'plugging'>;

/** What its QEMU may have: what it was told to have, and what may have been plugged in since. */
function mayHave({ spec, plugging }: Volumes): readonly VolumeMount[] {
  return [...(spec.volumes ?? []), ...plugging];
}

function wishedVolumes({ spec, wishedSpec }: Volumes): readonly VolumeMount[] {
  return (wishedSpec ?? spec).volumes ?? [];
}

function without(
  mounts: readonly VolumeMount[],
  others: readonly VolumeMount[],
): readonly VolumeMount[] {
  return mounts.filter((mount) => !others.some((other) => isDeepStrictEqual(mount, other)));
}

/** Volumes that a disk may be open for, now or soon: their leases are this VM's. */
export function volumesInUse(record: Volumes): readonly VolumeId[] {
  return [...mayHave(record), ...wishedVolumes(record)].map(({ volumeId }) => volumeId);
}

/** How often it is looked whether a guest has let a volume go. */
const LOOK_EVERY_MS = 500;
/** A guest that is still booting does not hear it: it is asked again. */
const ASK_EVERY_MS = 5_000;
/** A guest that has not let a volume go after this long is not waited for. */
const UNPLUG_TIMEOUT_MS = 60_000;

/**
 * How a guest that is on gets and loses volumes. A disk's lease is taken before QEMU has the disk, and
 * given back when QEMU has it no more. Cut off anywhere, `plugging` says what QEMU may have.
 */
export const HOT_PLUG: Procedure<VmSteps> = {
  name: 'hotPlug',
  steps: [
    {
      name: 'intent',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => {
          const added = without(wishedVolumes(record), mayHave(record));
          return { ...record, plugging: [...record.plugging, ...added] };
        });
        return save(signal);
      },
      undo: restated,
    },
    {
      name: 'unplug',
      waitsFor: 'the guest to let a volume go',
      do: ({ clock, hypervisor, record, volumes: storage }, signal) => {
        const leaving = without(mayHave(record()), wishedVolumes(record()));
        const all = leaving.map((mount) => ({ tag: mount.tag, path: storage.pathOf(mount) }));
        return unplug({ clock, hypervisor, vmId: record().vmId, all, signal });
      },
      undo: { none: 'what was unplugged is plugged in again by a wish of its own' },
    },
    {
      name: 'release',
      waitsFor: 'leases to be given back',
      do: ({ record, volumes: storage }, signal) => {
        const leaving = without(mayHave(record()), wishedVolumes(record()));
        const ids = leaving.map(({ volumeId }) => volumeId);
        return storage.release(record().vmId, ids, signal);
      },
      undo: { none: 'it is taken again when it is needed' },
    },
    { ...volumes, do: (context, signal) => volumes.do(asWished(context), signal) },
    {
      name: 'plug',
      waitsFor: 'the hypervisor to plug a volume in',
      async do({ hypervisor, record, parts }, signal) {
        const { vmId } = record();
        for (const device of devicesOf(asReached(record()), parts().volumePaths ?? {})) {
          await hypervisor.plugVolume(vmId, device, signal);
        }
      },
      undo: { none: 'what was plugged in is unplugged by a wish of its own' },
    },
    network,
    { ...domain, do: (context, signal) => domain.do(asWished(context), signal) },
    {
      name: 'settled',
      waitsFor: 'its record to be written',
      do: ({ amend, save }, signal) => {
        amend((record) => settleChange(record, 'volumes'));
        return save(signal);
      },
      undo: restated,
    },
  ],
};

/** What a guest is found to have after a hot-plug that came to nothing, or was overtaken, it has. */
export const KEEP_PLUGGED: Procedure<VmSteps> = {
  name: 'keepPlugged',
  steps: [
    {
      name: 'devices',
      waitsFor: 'a look at what its guest has',
      async do({ hypervisor, record, amend, volumes: storage }, signal) {
        const { vmId } = record();
        const seen = await hypervisor.findDomain(vmId, signal);
        // Nothing that was begun before may still take effect after the look.
        if (seen?.power.kind === 'on') await hypervisor.awaitDevices(vmId, signal);
        const paths = await hypervisor.pluggedPaths(vmId, signal);
        amend((before) => {
          if (seen?.power.kind === 'on') {
            const has = mayHave(before).filter((mount) => paths.has(storage.pathOf(mount)));
            return withVolumes(before, newest(has));
          }
          // Memory that is kept may be of a machine that had them.
          const isSaved = seen?.power.kind === 'off' && seen.power.isSaved === true;
          return withVolumes(before, isSaved ? newest(mayHave(before)) : before.spec.volumes);
        });
      },
      undo: restated,
    },
    intent,
  ],
};

/** Of two for one volume the later one: it has the newer lease. */
function newest(mounts: readonly VolumeMount[]): VolumeMount[] {
  return [...new Map(mounts.map((mount) => [mount.volumeId, mount])).values()];
}

function withVolumes(record: VmRecord, mounts: VmSpec['volumes']): VmRecord {
  const { volumes: _, ...others } = record.spec;
  const hasAny = mounts !== undefined && mounts.length > 0;
  const spec: VmSpec = hasAny ? { ...others, volumes: [...mounts] } : others;
  return withSpec({ ...record, spec, plugging: [] }, record.wishedSpec ?? record.spec);
}

/** The steps' context, as if its volumes were what they are to be. */
function asWished(context: VmSteps): VmSteps {
  return { ...context, record: () => asReached(context.record()) };
}

function asReached(record: VmRecord): VmRecord {
  return settleChange(record, 'volumes');
}

function devicesOf(
  { spec }: VmRecord,
  volumePaths: Readonly<Record<string, string>>,
): readonly PlannedDevice[] {
  const { volumes: disks, filesystems } = plannedVolumes(spec, { volumePaths });
  return [...disks, ...filesystems];
}

/** @throws VmFailure `VOLUME_BUSY` when the guest does not let one go in time. */
async function unplug(order: {
  readonly clock: Clock;
  readonly hypervisor: Hypervisor;
  readonly vmId: VmRecord['vmId'];
  readonly all: readonly { readonly tag: string; readonly path: string }[];
  readonly signal: AbortSignal;
}): Promise<void> {
  const { clock, hypervisor, vmId, all, signal } = order;
  if (all.length === 0) return;
  const beganAtMs = clock.monotonicMs();
  let askAtMs = beganAtMs;
  while (true) {
    const has = await hypervisor.pluggedPaths(vmId, signal);
    const left = all.filter(({ path }) => has.has(path));
    if (left.length === 0) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - beganAtMs >= UNPLUG_TIMEOUT_MS) throw busy(left.map(({ tag }) => tag));
    if (nowMs >= askAtMs) {
      for (const { path } of left) await hypervisor.askToUnplug(vmId, path, signal);
      askAtMs = nowMs + ASK_EVERY_MS;
    }
    await sleep(clock, LOOK_EVERY_MS, signal);
  }
}

function busy(tags: readonly string[]): VmFailure {
  const names = tags.join(' and ');
  const message = `The guest does not let ${names} go, and keeps it. Unmount it in the guest and detach it again, or stop the machine first.`;
  return new VmFailure('VOLUME_BUSY', message);
}
