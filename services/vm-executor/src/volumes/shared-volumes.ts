import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  VOLUMES_USAGE,
  type VolumeId,
  type VolumeMount,
  VolumeUsageSchema,
} from '@factory/contracts';
import type { CallOptions, Clock, StorageHelper } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { VmFailure } from '../failures.ts';
import { orStorageFailure } from '../storage/storage-errors.ts';
import type { HeldLeases } from './held-leases.ts';
import {
  decideLease,
  epochOf,
  type FoundLease,
  LEASE_DEAD_MS,
  type Lease,
  leaseName,
  parseLease,
} from './lease.ts';
import type { HeldLease, VolumePort } from './port.ts';

/** A look, a name, a small file. What takes longer hangs: a VM is rather told so and tried again. */
const QUICK: CallOptions = { timeoutMs: 8_000 };
/** Making a file system writes its structures, lazily: some MiB. */
const FORMAT: CallOptions = { timeoutMs: 60_000 };
const FORMAT_LIMITS = { memoryBytesMax: 2 ** 31, cpuSMax: 60 } as const;
const GIB = 1024 ** 3;

/**
 * Lies at the top of the storage for volumes. Without it, what is looked at is an empty mount point:
 * a disk made there would look like the one that is lost.
 */
export const VOLUMES_MARKER = '.factory-volumes';

/** The volumes in `folder`: `<volumeId>/data/`, or `<volumeId>/disk.raw` with its leases. */
export function createSharedVolumes(options: {
  readonly folder: string;
  readonly clock: Clock;
  readonly helper: StorageHelper;
  readonly held: HeldLeases;
  /** Lets guests of this host write to a folder, or refuses it. */
  readonly allowFolderWrites: (path: string, isAllowed: boolean) => Promise<void>;
}): VolumePort {
  const { folder, clock, helper, held } = options;
  const pathOf: VolumePort['pathOf'] = ({ volumeId, kind }) =>
    join(folder, volumeId, kind === 'block' ? 'disk.raw' : 'data');
  const leases = new LeaseFiles(folder, clock, helper);
  let holder: string | undefined;

  const requireStorage = async (signal: AbortSignal | undefined): Promise<void> => {
    const path = join(folder, VOLUMES_MARKER);
    if ((await helper.call('size', { path }, withSignal(QUICK, signal))) !== null) return;
    const message = `There is no storage for volumes in ${folder}: is it mounted? (${VOLUMES_MARKER} is missing)`;
    throw new VmFailure('STORAGE_UNAVAILABLE', message, { isTransient: true });
  };
  const makeDisk = async (mount: VolumeMount, signal: AbortSignal | undefined): Promise<void> => {
    const path = pathOf(mount);
    if ((await helper.call('size', { path }, withSignal(QUICK, signal))) !== null) return;
    const partial = `${path}.partial`;
    const sizeBytes = (mount.sizeGiB ?? 1) * GIB;
    await helper.call('makeSparse', { path: partial, sizeBytes }, withSignal(QUICK, signal));
    await format(helper, partial, sizeBytes, signal);
    await helper.call('rename', { from: partial, to: path }, withSignal(QUICK, signal));
  };

  return {
    identify: (hostName) => {
      holder = hostName;
    },
    prepare: (vmId, mount, signal) =>
      orStorageFailure(`making ${mount.volumeId} ready`, async () => {
        await requireStorage(signal);
        if (mount.kind === 'directory') {
          await helper.call('makeFolder', { path: pathOf(mount) }, withSignal(QUICK, signal));
          return;
        }
        if (holder === undefined) throw new Error('it is not known yet whose leases these are');
        const lease = { vmId, volumeId: mount.volumeId, epoch: mount.leaseEpoch };
        const path = join(folder, mount.volumeId);
        await helper.call('makeFolder', { path }, withSignal(QUICK, signal));
        // Known to this host first: what is taken from now on will be given back.
        await held.add(lease);
        await leases.take(lease, holder, signal);
        await makeDisk(mount, signal);
      }),
    pathOf,
    release: (vmId, volumeIds, signal) =>
      orStorageFailure('giving a volume back', async () => {
        for (const lease of await held.list()) {
          if (lease.vmId !== vmId || volumeIds?.includes(lease.volumeId) === false) continue;
          await leases.giveBack(lease, signal);
          await held.remove(lease);
        }
      }),
    renew: (lease) =>
      orStorageFailure('renewing a lease', async () => {
        const now = await held.list();
        // Given back meanwhile: it must not appear again.
        if (!now.some((each) => isDeepStrictEqual(each, lease))) return 'held';
        const isOutdated = now.some((each) => isNewerOf(each, lease));
        if (!isOutdated) return leases.renew(lease, holder ?? '');
        // The VM was given the same disk anew: the lease before that one is nobody's loss.
        await held.remove(lease);
        return 'held';
      }),
    usage: (signal) =>
      orStorageFailure('reading what volumes take', async () => {
        const path = join(folder, VOLUMES_USAGE);
        return usageIn(await helper.call('readText', { path }, withSignal(QUICK, signal)));
      }),
    allowWrites: (volumeId, isAllowed) =>
      options.allowFolderWrites(pathOf({ volumeId, kind: 'directory' }), isAllowed),
    listHeld: () => held.list(),
    close: async () => helper.close(),
  };
}

const usageFile = Compile(Type.Array(VolumeUsageSchema));

/** What the cluster-server has measured; nothing where it has not yet. */
function usageIn(text: string | null): ReadonlyMap<VolumeId, number> {
  const value: unknown = JSON.parse(text ?? '[]');
  if (!usageFile.Check(value)) throw new Error(`${VOLUMES_USAGE} makes no sense`);
  return new Map(value.map(({ volumeId, usedBytes }) => [volumeId, usedBytes]));
}

/** Whether one lease of a VM on a disk came after another. */
function isNewerOf(newer: HeldLease, older: HeldLease): boolean {
  const { vmId, volumeId, epoch } = newer;
  return vmId === older.vmId && volumeId === older.volumeId && epoch > older.epoch;
}

/** A file system on a new disk. Nobody has written to it yet: what a guest writes is never read. */
async function format(
  helper: StorageHelper,
  path: string,
  sizeBytes: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const args = ['-q', '-F', '-t', 'ext4', '-m', '0', '-E', 'lazy_itable_init=1,nodiscard', path];
  const run = { program: 'mke2fs', args, ...FORMAT_LIMITS, fileBytesMax: sizeBytes };
  const { exitCode, stderr } = await helper.call('run', run, withSignal(FORMAT, signal));
  if (exitCode !== 0) throw new Error(`mke2fs failed: ${stderr.trim() || 'a signal ended it'}`);
}

function withSignal(options: CallOptions, signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? options : { ...options, signal };
}

/** The files of leases, and since when each has not changed, as this process has seen it. */
class LeaseFiles {
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #helper: StorageHelper;
  readonly #seen = new Map<string, { readonly text: string; readonly sinceMs: number }>();

  constructor(folder: string, clock: Clock, helper: StorageHelper) {
    this.#folder = folder;
    this.#clock = clock;
    this.#helper = helper;
  }

  /** @throws VmFailure `VOLUME_LOCKED` when somebody else has the disk. */
  async take(wanted: HeldLease, holder: string, signal?: AbortSignal): Promise<void> {
    const { volumeId, epoch } = wanted;
    const decision = decideLease(await this.#find(volumeId, signal), { ...wanted, holder });
    switch (decision.kind) {
      case 'wait':
      case 'overtaken':
        throw locked(volumeId, decision);
      case 'renew':
        await this.#write(wanted, holder, signal);
        break;
      case 'create': {
        const text = this.#textOf(wanted, holder);
        const file = { path: this.#pathOf(volumeId, epoch), text };
        if (await this.#helper.call('createText', file, withSignal(QUICK, signal))) break;
        const message = `Somebody else takes ${volumeId} at this moment.`;
        throw new VmFailure('VOLUME_LOCKED', message, { isTransient: true });
      }
    }
    // Somebody with a newer number may have come in between, and not have seen ours.
    const newer = (await this.#find(volumeId, signal)).find((each) => each.epoch > epoch);
    if (newer !== undefined) throw locked(volumeId, { kind: 'overtaken', by: newer });
    for (const old of decision.outdated) await this.#remove(volumeId, old, signal);
  }

  async renew(lease: HeldLease, holder: string): Promise<'held' | 'lost'> {
    const found = await this.#find(lease.volumeId);
    if (found.some(({ epoch }) => epoch > lease.epoch)) return 'lost';
    const own = found.find(({ epoch }) => epoch === lease.epoch)?.lease;
    if (own !== undefined && own.holder !== holder) return 'lost';
    await this.#write(lease, holder);
    return 'held';
  }

  async giveBack({ volumeId, epoch, vmId }: HeldLease, signal?: AbortSignal): Promise<void> {
    const path = this.#pathOf(volumeId, epoch);
    const text = await this.#helper.call('readText', { path }, withSignal(QUICK, signal));
    const lease = text === null ? undefined : parseLease(text);
    // The volume is gone, or the number was written by an attempt of the same VM on another host.
    if (text === null || (lease !== undefined && lease.vmId !== vmId)) return;
    await this.#remove(volumeId, epoch, signal);
  }

  async #find(volumeId: VolumeId, signal?: AbortSignal): Promise<readonly FoundLease[]> {
    const path = join(this.#folder, volumeId);
    const names = await this.#helper.call('list', { path }, withSignal(QUICK, signal));
    const found: FoundLease[] = [];
    for (const epoch of names.flatMap((name) => epochOf(name) ?? [])) {
      const file = this.#pathOf(volumeId, epoch);
      const text = await this.#helper.call('readText', { path: file }, withSignal(QUICK, signal));
      if (text === null) continue;
      found.push({ epoch, lease: parseLease(text), isDead: this.#isDead(file, text) });
    }
    return found;
  }

  #isDead(file: string, text: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#seen.get(file);
    if (before?.text === text) return nowMs - before.sinceMs >= LEASE_DEAD_MS;
    this.#seen.set(file, { text, sinceMs: nowMs });
    return false;
  }

  async #write(lease: HeldLease, holder: string, signal?: AbortSignal): Promise<void> {
    const path = this.#pathOf(lease.volumeId, lease.epoch);
    const text = this.#textOf(lease, holder);
    await this.#helper.call('writeText', { path, text }, withSignal(QUICK, signal));
  }

  async #remove(volumeId: VolumeId, epoch: number, signal?: AbortSignal): Promise<void> {
    const path = this.#pathOf(volumeId, epoch);
    this.#seen.delete(path);
    await this.#helper.call('remove', { path }, withSignal(QUICK, signal));
  }

  #pathOf(volumeId: VolumeId, epoch: number): string {
    return join(this.#folder, volumeId, leaseName(epoch));
  }

  #textOf({ vmId, epoch }: HeldLease, holder: string): string {
    const lease: Lease = { epoch, holder, vmId, renewedAtMs: this.#clock.nowMs() };
    return JSON.stringify(lease);
  }
}

/** What to say when a disk can't be had. */
export function locked(
  volumeId: VolumeId,
  found:
    | { readonly kind: 'wait'; readonly for: FoundLease }
    | { readonly kind: 'overtaken'; readonly by: FoundLease },
): VmFailure {
  if (found.kind === 'overtaken') {
    const who = whoHas(found.by);
    return new VmFailure('VOLUME_LOCKED', `${volumeId} was given to ${who} meanwhile.`);
  }
  const message = `${volumeId} is open for ${whoHas(found.for)}; it is free once that is off.`;
  return new VmFailure('VOLUME_LOCKED', message, { isTransient: true });
}

function whoHas({ lease, epoch }: FoundLease): string {
  return lease === undefined ? `lease ${epoch}` : `${lease.vmId} on ${lease.holder}`;
}
