import type { Rpc } from './rpc.ts';
import { integerOf, type TypedParams, textOf, typedParamsOf } from './typed-params.ts';
import type { CallOptions, DomainRef } from './types.ts';
import { flagsOf, wireDomain } from './wire.ts';

/** virDomainJobType. */
const TYPES = ['none', 'bounded', 'unbounded', 'completed', 'failed', 'cancelled'] as const;
/** virDomainJobOperation. */
const OPERATIONS = [
  'unknown',
  'start',
  'save',
  'restore',
  'migration-in',
  'migration-out',
  'snapshot',
  'snapshot-revert',
  'dump',
  'backup',
  'snapshot-delete',
] as const;

/** What a job has done, or did. */
export interface DomainJobOutcome {
  readonly operation: (typeof OPERATIONS)[number];
  /** Of a job that has ended. */
  readonly success: boolean | undefined;
  readonly errorMessage: string | undefined;
  readonly timeElapsedMs: bigint | undefined;
  readonly diskTotalBytes: bigint | undefined;
  readonly diskProcessedBytes: bigint | undefined;
  readonly diskRemainingBytes: bigint | undefined;
  readonly memoryTotalBytes: bigint | undefined;
  readonly memoryProcessedBytes: bigint | undefined;
  /** All libvirt said, by its own names, e.g. `disk_temp_used`. */
  readonly params: TypedParams;
}

/** The job of a domain. */
export interface DomainJobStats extends DomainJobOutcome {
  /** `bounded` and `unbounded`: under way, with and without a known end. */
  readonly type: (typeof TYPES)[number] | 'unknown';
}

/**
 * The job of a whole domain, of which it has at most one: a backup, a save, a snapshot with memory.
 * The event `jobCompleted` tells of its end.
 */
export interface Jobs {
  /**
   * Copies disks of a running domain as they are at this moment, while the guest goes on, as
   * `<domainbackup>` says. `reuseExternal`: the target files exist already.
   */
  beginBackup(
    domain: DomainRef,
    backupXml: string,
    options?: CallOptions & { readonly checkpointXml?: string; readonly reuseExternal?: boolean },
  ): Promise<void>;
  /** The backup under way, as libvirt completed its XML. @throws `NO_DOMAIN_BACKUP`. */
  getBackupXml(domain: DomainRef, options?: CallOptions): Promise<string>;
  /**
   * The job under way (`none` without one), or with `completed` the one that ended last, which
   * libvirt forgets at this asking unless `keep`.
   */
  stats(
    domain: DomainRef,
    options?: CallOptions & { readonly completed?: boolean; readonly keep?: boolean },
  ): Promise<DomainJobStats>;
  /** Ends the job under way. `OPERATION_INVALID` when there is none. */
  abort(domain: DomainRef, options?: CallOptions): Promise<void>;
}

/** The typed view of what libvirt said of a job. Names: VIR_DOMAIN_JOB_*. */
export function jobOutcomeOf(params: TypedParams): DomainJobOutcome {
  const success = params.get('success');
  return {
    operation: OPERATIONS[Number(integerOf(params, 'operation') ?? 0n)] ?? 'unknown',
    success: typeof success === 'boolean' ? success : undefined,
    errorMessage: textOf(params, 'errmsg'),
    timeElapsedMs: integerOf(params, 'time_elapsed'),
    diskTotalBytes: integerOf(params, 'disk_total'),
    diskProcessedBytes: integerOf(params, 'disk_processed'),
    diskRemainingBytes: integerOf(params, 'disk_remaining'),
    memoryTotalBytes: integerOf(params, 'memory_total'),
    memoryProcessedBytes: integerOf(params, 'memory_processed'),
    params,
  };
}

/** The {@link Jobs} of a connection's domains. */
export function createJobs(rpc: Rpc): Jobs {
  return {
    async beginBackup(domain, backupXml, options = {}) {
      const { checkpointXml } = options;
      const flags = flagsOf([[1, options.reuseExternal]]);
      const args = { domain: wireDomain(domain), backupXml, checkpointXml, flags };
      await rpc.call('domainBackupBegin', args, options);
    },
    async getBackupXml(domain, options) {
      const args = { domain: wireDomain(domain), flags: 0 };
      return (await rpc.call('domainBackupGetXmlDesc', args, options)).xml;
    },
    async stats(domain, options = {}) {
      // virDomainGetJobStatsFlags.
      const flags = flagsOf([
        [1, options.completed],
        [2, options.keep],
      ]);
      const args = { domain: wireDomain(domain), flags };
      const { type, params } = await rpc.call('domainGetJobStats', args, options);
      return { type: TYPES[type] ?? 'unknown', ...jobOutcomeOf(typedParamsOf(params)) };
    },
    async abort(domain, options) {
      await rpc.call('domainAbortJob', { domain: wireDomain(domain) }, options);
    },
  };
}
