import type { Capacity, Changes, HostCapacity } from '@factory/contracts';
import { type Clock, withDeadline } from '@factory/runtime';
import type { ImageHere, ImageReader } from '../images/reader.ts';
import type { VolumeKeeper } from '../volume-keeper.ts';

/** How often the cluster's capacity is read from the Mesos master. */
const CAPACITY_INTERVAL_MS = 2_000;
/** Unchanged capacity is reported again this often, so that it is never taken for stale. */
const CAPACITY_REPEAT_MS = 15_000;
/** All masters that may lead are asked within this time. */
const HOSTS_TIMEOUT_MS = 30_000;
/** More than this many are not looked at one by one. */
const ORPHANS_MAX = 10_000;

export interface CapacityFollowerOptions {
  readonly clock: Clock;
  /** The hosts as the Mesos master sees them. */
  readonly readHosts: () => Promise<readonly HostCapacity[]>;
  readonly images: ImageReader;
  readonly volumes?: VolumeKeeper | undefined;
  /** What machines were promised that the hosts do not show yet. */
  readonly promised: () => { readonly vcpus: number; readonly memoryMiB: number };
  readonly orphans: () => NonNullable<Changes['orphans']>;
  /** Takes what is to be told; `undefined` takes back what was not told yet. */
  readonly report: (capacity: Capacity | undefined) => void;
}

/** Reads what hosts and images there are, and tells it when it has changed, or not for a while. */
export class CapacityFollower {
  readonly #options: CapacityFollowerOptions;
  #hosts: readonly HostCapacity[] | undefined;
  #wake: () => void = () => undefined;
  #last: { readonly text: string; readonly atMs: number } | undefined;

  constructor(options: CapacityFollowerOptions) {
    this.#options = options;
  }

  /** As read last; `undefined` before the first time. */
  get hosts(): readonly HostCapacity[] | undefined {
    return this.#hosts;
  }

  /** Until the signal aborts and it is woken. @throws when hosts can't be read: begin again. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.readHosts();
      const images = await this.#options.images.all();
      // Hosts without images would be told as ones that nothing can be made on.
      if (images !== undefined) this.#report(images);
      await this.#next(signal);
    }
  }

  async readHosts(): Promise<readonly HostCapacity[]> {
    const { clock, readHosts } = this.#options;
    const hosts = await withDeadline(clock, 'reading the hosts', HOSTS_TIMEOUT_MS, readHosts);
    this.#hosts = hosts;
    return hosts;
  }

  /** Reads again now. */
  wake(): void {
    this.#wake();
  }

  /**
   * VMs were promised: a capacity from before must not go out with the acknowledgement of the
   * command that brought them, or their room would be taken for free.
   */
  outdate(): void {
    this.#options.report(undefined);
    this.#last = undefined;
    this.#wake();
  }

  async #next(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = this.#options.clock.after(CAPACITY_INTERVAL_MS, resolve);
    if (!signal.aborted) await promise;
    timer.cancel();
  }

  #report(images: readonly ImageHere[]): void {
    const { clock, volumes: keeper, promised: readPromised, orphans, report } = this.#options;
    const volumes = keeper === undefined ? [] : keeper.usage();
    const promised = readPromised();
    const facts = {
      hosts: [...(this.#hosts ?? [])],
      promisedVcpus: promised.vcpus,
      promisedMemoryMiB: promised.memoryMiB,
      ...imageNames(images),
      ...(volumes === undefined ? {} : { volumes: [...volumes] }),
      orphans: orphans()
        .slice(0, ORPHANS_MAX)
        .map((orphan) => ({
          ...orphan,
          hostName: this.#hosts?.find(({ agentId }) => agentId === orphan.agentId)?.hostName ?? '',
        })),
    };
    const text = JSON.stringify(facts);
    const nowMs = clock.monotonicMs();
    const isRecent = nowMs - (this.#last?.atMs ?? 0) < CAPACITY_REPEAT_MS;
    if (this.#last?.text === text && isRecent) return;
    this.#last = { text, atMs: nowMs };
    report({ observedAtMs: clock.nowMs(), ...facts });
  }
}

/** What the cluster can start machines from, as its capacity says it. */
function imageNames(images: readonly ImageHere[]) {
  const newestFirst = images.toSorted((a, b) => (b.createdAtMs ?? 0) - (a.createdAtMs ?? 0));
  const versions = [...Map.groupBy(newestFirst, ({ name }) => name)].map(
    ([name, all]) => [name, all.flatMap(({ version }) => version ?? [])] as const,
  );
  const known = versions.filter(([, all]) => all.length > 0);
  return {
    images: versions.map(([name]) => name),
    imageVersions: Object.fromEntries(known.map(([name, [newest = '']]) => [name, newest])),
    allImageVersions: Object.fromEntries(known.map(([name, all]) => [name, [...all]])),
  };
}
