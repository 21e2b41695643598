import {
  type Capacity,
  type LinkReports,
  standing,
  type VmAssignment,
  type VmReport,
} from '@factory/contracts';
import { type HttpTransport, systemClock, systemRandom } from '@factory/runtime';
import {
  LinkClient,
  newClusterKey,
} from '../../../services/cluster-server/src/link/link-client.ts';
import type { ClusterIdentity } from '../../../services/cluster-server/src/store.ts';

const HOSTS = 200;
const VCPUS_PER_HOST = 1_000;
const REPORTS_PER_EXCHANGE = 2_000;
const NOTHING: LinkReports = { vms: [], plans: [], operations: [] };

/** A cluster that is nothing but its end of the link: it has room for everything, and says so. */
export class LoadCluster {
  readonly #link: LinkClient;
  readonly #identity: ClusterIdentity;
  readonly #epoch: number;
  readonly image: string;
  readonly vms: VmAssignment[] = [];
  #appliedSeq = 0;
  #revision = 0;

  private constructor(link: LinkClient, identity: ClusterIdentity, epoch: number, image: string) {
    this.#link = link;
    this.#identity = identity;
    this.#epoch = epoch;
    this.image = image;
  }

  /** Enrols under this name; machines of the image `image` can be made here alone. */
  static async join(options: {
    readonly url: string;
    readonly name: string;
    readonly token: string;
    readonly image: string;
    readonly transport: HttpTransport;
  }): Promise<LoadCluster> {
    const { url, name, token, image, transport } = options;
    const link = new LinkClient({ clock: systemClock, random: systemRandom, transport, url });
    const identity = await link.enrol(token, { name, privateKey: newClusterKey() });
    const epoch = await link.openSession(identity);
    const cluster = new LoadCluster(link, identity, epoch, image);
    await cluster.exchange({ capacity: capacityWith(image) });
    return cluster;
  }

  /** Takes commands until it has so many machines. */
  async takeUntil(count: number): Promise<void> {
    while (this.vms.length < count) await this.exchange({}, 5_000);
  }

  /** Reports all machines from `first` on as running. */
  async reportRunning(first: number): Promise<void> {
    for (let at = first; at < this.vms.length; at += REPORTS_PER_EXCHANGE) {
      const part = this.vms.slice(at, at + REPORTS_PER_EXCHANGE);
      await this.exchange({ vms: part.map((vm) => this.report(vm, 'running')) });
    }
  }

  report(vm: VmAssignment, state: 'running' | 'stopped'): VmReport {
    this.#revision += 1;
    const nowMs = systemClock.nowMs();
    return {
      ...{ vmId: vm.vmId, assignmentEpoch: vm.assignmentEpoch, generation: vm.generation },
      ...{ revision: this.#revision, stateSinceMs: nowMs, guestReady: state === 'running' },
      ...{ hostName: `host-${this.#revision % HOSTS}`, timeline: { started: nowMs } },
      ...standing(state, null, null),
    };
  }

  async exchange(reports: Partial<LinkReports>, waitMs = 0): Promise<void> {
    const { commands } = await this.#link.exchange(this.#identity, {
      ...{ epoch: this.#epoch, appliedCommandSeq: this.#appliedSeq, waitMs },
      reports: { ...NOTHING, ...reports },
    });
    for (const { seq, command } of commands) {
      this.#appliedSeq = seq;
      if (command.kind === 'assignVms') this.vms.push(...command.vms);
    }
  }
}

function capacityWith(image: string): Capacity {
  return {
    observedAtMs: systemClock.nowMs(),
    hosts: Array.from({ length: HOSTS }, (_, index) => ({
      ...{ agentId: `load-agent-${index}`, hostName: `host-${index}`, active: true },
      ...{ totalVcpus: VCPUS_PER_HOST, totalMemoryMiB: VCPUS_PER_HOST * 1_024 },
      ...{ freeVcpus: VCPUS_PER_HOST, freeMemoryMiB: VCPUS_PER_HOST * 1_024 },
    })),
    ...{ promisedVcpus: 0, promisedMemoryMiB: 0, images: [image] },
  };
}
