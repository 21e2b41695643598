import type { WireSnapshot } from './procedures/shapes.ts';
import type { Rpc } from './rpc.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { domainOf, flagsOf, wireDomain } from './wire.ts';

/** Writing or reading a guest's memory takes seconds. */
const MEMORY_TIMEOUT_MS = 300_000;

/** A snapshot as libvirt names it. */
export interface Snapshot {
  readonly name: string;
  readonly domain: DomainRef;
}

/** Options of {@link Snapshots.create}. */
export interface SnapshotCreateOptions extends CallOptions {
  /** Disks alone, without the guest's memory: as if its power had been cut, unless `quiesce`. */
  readonly diskOnly?: boolean;
  /** Freezes the guest's file systems by its agent meanwhile; needs `diskOnly`. */
  readonly quiesce?: boolean;
  /** All disks or none. */
  readonly atomic?: boolean;
  /** libvirt keeps no record: for an external snapshot that one keeps oneself. */
  readonly noMetadata?: boolean;
  /** The image files exist already. */
  readonly reuseExternal?: boolean;
  /** Stops the domain when the snapshot is made. */
  readonly halt?: boolean;
  readonly validate?: boolean;
}

/** Options of {@link Snapshots.revert}. */
export interface SnapshotRevertOptions extends CallOptions {
  /** What becomes of the domain; default what it was when the snapshot was made. */
  readonly afterwards?: 'running' | 'paused';
  /** Even where libvirt finds it risky (`SNAPSHOT_REVERT_RISKY`). */
  readonly force?: boolean;
}

/**
 * Snapshots of domains; `NO_DOMAIN_SNAPSHOT`: there is none of that name. libvirt 9.0 can't revert
 * to external snapshots. Making, reverting and deleting may take as long as the guest's memory and
 * disks are large, so their deadline is 300 s by default.
 */
export interface Snapshots {
  /** Makes a snapshot as `<domainsnapshot>` describes it. */
  create(domain: DomainRef, xml: string, options?: SnapshotCreateOptions): Promise<Snapshot>;
  /** All snapshots of a domain, parents first. */
  list(domain: DomainRef, options?: CallOptions): Promise<readonly Snapshot[]>;
  /** @throws LibvirtError `NO_DOMAIN_SNAPSHOT`. */
  lookup(domain: DomainRef, name: string, options?: CallOptions): Promise<Snapshot>;
  getXml(snapshot: Snapshot, options?: CallOptions): Promise<string>;
  /** Takes the domain back to the snapshot: what it has written since is lost. */
  revert(snapshot: Snapshot, options?: SnapshotRevertOptions): Promise<void>;
  /** `children`: with all that came of it. `metadataOnly`: the data stays. */
  delete(
    snapshot: Snapshot,
    options?: CallOptions & { readonly children?: boolean; readonly metadataOnly?: boolean },
  ): Promise<void>;
}

/** virDomainSnapshotCreateFlags. */
function createFlags(options: SnapshotCreateOptions): number {
  return flagsOf([
    [1 << 2, options.noMetadata],
    [1 << 3, options.halt],
    [1 << 4, options.diskOnly],
    [1 << 5, options.reuseExternal],
    [1 << 6, options.quiesce],
    [1 << 7, options.atomic],
    [1 << 9, options.validate],
  ]);
}

/** VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL. */
const LIST_TOPOLOGICAL = 1 << 10;

function snapshotOf(wire: WireSnapshot): Snapshot {
  const { name, uuid } = domainOf(wire.domain);
  return { name: wire.name, domain: { name, uuid } };
}

function wireSnapshot(snapshot: Snapshot): WireSnapshot {
  return { name: snapshot.name, domain: wireDomain(snapshot.domain) };
}

function patient(options: CallOptions): { readonly timeoutMs: number } {
  return { timeoutMs: options.timeoutMs ?? MEMORY_TIMEOUT_MS };
}

/** The {@link Snapshots} of a connection's domains. */
export function createSnapshots(rpc: Rpc): Snapshots {
  return {
    async create(domain, xml, options = {}) {
      const args = { domain: wireDomain(domain), xml, flags: createFlags(options) };
      return snapshotOf(
        (await rpc.call('domainSnapshotCreateXml', args, patient(options))).snapshot,
      );
    },
    async list(domain, options) {
      const args = { domain: wireDomain(domain), needResults: true, flags: LIST_TOPOLOGICAL };
      return (await rpc.call('domainListAllSnapshots', args, options)).snapshots.map(snapshotOf);
    },
    async lookup(domain, name, options) {
      const args = { domain: wireDomain(domain), name, flags: 0 };
      return snapshotOf((await rpc.call('domainSnapshotLookupByName', args, options)).snapshot);
    },
    async getXml(snapshot, options) {
      const args = { snapshot: wireSnapshot(snapshot), flags: 0 };
      return (await rpc.call('domainSnapshotGetXmlDesc', args, options)).xml;
    },
    async revert(snapshot, options = {}) {
      const flags = flagsOf([
        [1 << 0, options.afterwards === 'running'],
        [1 << 1, options.afterwards === 'paused'],
        [1 << 2, options.force],
      ]);
      const args = { snapshot: wireSnapshot(snapshot), flags };
      await rpc.call('domainRevertToSnapshot', args, patient(options));
    },
    async delete(snapshot, options = {}) {
      const flags = flagsOf([
        [1 << 0, options.children],
        [1 << 1, options.metadataOnly],
      ]);
      const args = { snapshot: wireSnapshot(snapshot), flags };
      await rpc.call('domainSnapshotDelete', args, patient(options));
    },
  };
}
