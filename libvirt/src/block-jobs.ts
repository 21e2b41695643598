import type { Rpc } from './rpc.ts';
import type { TypedValue } from './typed-params.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { flagsOf, wireDomain } from './wire.ts';

/** virDomainBlockJobType. */
const TYPES = ['unknown', 'pull', 'copy', 'commit', 'active-commit', 'backup'] as const;
/** VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES, and the like of the other calls. */
const BANDWIDTH_BYTES = 1;
/** VIR_DOMAIN_BLOCK_RESIZE_BYTES. */
const RESIZE_BYTES = 1;
/** virDomainBlockJobAbortFlags. */
const ABORT_ASYNC = 1;
const ABORT_PIVOT = 2;
/** VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB: without it a persistent domain is refused. */
const COPY_TRANSIENT_JOB = 1 << 2;
/** VIR_DOMAIN_BLOCK_COMMIT_BANDWIDTH_BYTES. */
const COMMIT_BANDWIDTH_BYTES = 1 << 4;

/** What a block job does. */
export type BlockJobType = (typeof TYPES)[number];

/** A block job under way. */
export interface BlockJobInfo {
  readonly type: BlockJobType;
  /** The limit; 0 is none. */
  readonly bandwidthBytesPerS: bigint;
  /** Units of work done and to do; equal, and not both 0, when a copy or commit is ready. */
  readonly current: bigint;
  readonly end: bigint;
}

/** Options of {@link BlockJobs.copy}. */
export interface BlockCopyOptions extends CallOptions {
  /** Only the top image: the copy shares the backing file. */
  readonly shallow?: boolean;
  /** The destination exists already, with the right size and backing file. */
  readonly reuseExternal?: boolean;
  readonly bandwidthBytesPerS?: bigint;
  /** The guest's writes wait until they are in the copy too: it converges whatever the guest does. */
  readonly synchronousWrites?: boolean;
}

/** Options of {@link BlockJobs.commit}. */
export interface BlockCommitOptions extends CallOptions {
  /** The image that takes the data in; default the bottom one, or with `shallow` the next. */
  readonly base?: string;
  /** The image that goes; default the one in use, which needs `active`. */
  readonly top?: string;
  readonly shallow?: boolean;
  /** For the image in use: the job waits at its end for `pivot`. */
  readonly active?: boolean;
  readonly bandwidthBytesPerS?: bigint;
}

/**
 * Long work on one disk of a running domain. Disks are named by their target, e.g. `vda`. The calls
 * only start the work; the event `blockJob` tells of its end, and libvirtd's restart loses none.
 * `BLOCK_COPY_ACTIVE` or `OPERATION_INVALID`: the disk has a job already.
 */
export interface BlockJobs {
  /**
   * Mirrors a disk into the one that `destinationXml` (`<disk>`) describes. When it is `ready` both
   * stay alike until `pivot` takes the copy into use, or `cancel` keeps it as it is then. The job
   * ends with QEMU.
   */
  copy(
    domain: DomainRef,
    disk: string,
    destinationXml: string,
    options?: BlockCopyOptions,
  ): Promise<void>;
  /** Writes an image's data into the one below it, and drops it from the chain. */
  commit(domain: DomainRef, disk: string, options?: BlockCommitOptions): Promise<void>;
  /** The job of a disk; undefined when it has none. */
  info(domain: DomainRef, disk: string, options?: CallOptions): Promise<BlockJobInfo | undefined>;
  /** Ends a job. `async`: does not wait until QEMU has. `INVALID_ARG` when there is none. */
  cancel(
    domain: DomainRef,
    disk: string,
    options?: CallOptions & { readonly async?: boolean },
  ): Promise<void>;
  /** Takes a ready copy or commit into use. `BLOCK_COPY_ACTIVE` when it is not ready. */
  pivot(domain: DomainRef, disk: string, options?: CallOptions): Promise<void>;
  /** Limits a job; 0 is no limit. */
  setSpeed(
    domain: DomainRef,
    disk: string,
    bandwidthBytesPerS: bigint,
    options?: CallOptions,
  ): Promise<void>;
  /** Makes a running domain's disk larger, and tells the guest. Smaller loses data. */
  resize(domain: DomainRef, disk: string, sizeBytes: bigint, options?: CallOptions): Promise<void>;
}

/** The word for libvirt's number. */
export function blockJobTypeOf(type: number): BlockJobType {
  return TYPES[type] ?? 'unknown';
}

function copyParams(
  options: BlockCopyOptions,
): readonly { readonly field: string; readonly value: TypedValue }[] {
  const { bandwidthBytesPerS: value } = options;
  return value === undefined ? [] : [{ field: 'bandwidth', value: { type: 'ullong', value } }];
}

type Starting = Pick<BlockJobs, 'copy' | 'commit'>;

function starting(rpc: Rpc): Starting {
  return {
    async copy(domain, disk, destinationXml, options = {}) {
      const flags = flagsOf([
        [1 << 0, options.shallow],
        [1 << 1, options.reuseExternal],
        [COPY_TRANSIENT_JOB, true],
        [1 << 3, options.synchronousWrites],
      ]);
      const args = { domain: wireDomain(domain), disk, destinationXml, flags };
      await rpc.call('domainBlockCopy', { ...args, params: copyParams(options) }, options);
    },
    async commit(domain, disk, options = {}) {
      const { base, top, bandwidthBytesPerS: bandwidth = 0n } = options;
      const flags = flagsOf([
        [1 << 0, options.shallow],
        [1 << 2, options.active],
        [COMMIT_BANDWIDTH_BYTES, true],
      ]);
      const args = { domain: wireDomain(domain), disk, base, top, bandwidth, flags };
      await rpc.call('domainBlockCommit', args, options);
    },
  };
}

/** The {@link BlockJobs} of a connection's domains. */
export function createBlockJobs(rpc: Rpc): BlockJobs {
  return {
    ...starting(rpc),
    async info(domain, disk, options) {
      const args = { domain: wireDomain(domain), disk, flags: BANDWIDTH_BYTES };
      const { found, type, bandwidth, current, end } = await rpc.call(
        'domainGetBlockJobInfo',
        args,
        options,
      );
      if (!found) return undefined;
      return { type: blockJobTypeOf(type), bandwidthBytesPerS: bandwidth, current, end };
    },
    async cancel(domain, disk, options = {}) {
      const flags = flagsOf([[ABORT_ASYNC, options.async]]);
      await rpc.call('domainBlockJobAbort', { domain: wireDomain(domain), disk, flags }, options);
    },
    async pivot(domain, disk, options) {
      const args = { domain: wireDomain(domain), disk, flags: ABORT_PIVOT };
      await rpc.call('domainBlockJobAbort', args, options);
    },
    async setSpeed(domain, disk, bandwidth, options) {
      const args = { domain: wireDomain(domain), disk, bandwidth, flags: BANDWIDTH_BYTES };
      await rpc.call('domainBlockJobSetSpeed', args, options);
    },
    async resize(domain, disk, size, options) {
      const args = { domain: wireDomain(domain), disk, size, flags: RESIZE_BYTES };
      await rpc.call('domainBlockResize', args, options);
    },
  };
}
