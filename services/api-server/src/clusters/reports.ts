import type { VmReport } from '@factory/contracts';

/** The newest report of each machine: one statement can't apply two to the same row. */
export function newestPerVm(reports: readonly VmReport[]): readonly VmReport[] {
  const newest = new Map<string, VmReport>();
  for (const report of reports) {
    const known = newest.get(report.vmId);
    if (known === undefined || report.revision > known.revision) newest.set(report.vmId, report);
  }
  return [...newest.values()];
}
