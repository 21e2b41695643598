import { Counter, type Registry } from 'prom-client';
import type { LinkMetrics } from './link/service.ts';

/** Counts what clusters report. */
export function createLinkMetrics(registry: Registry): LinkMetrics {
  const reports = new Counter({
    name: 'factory_api_vm_reports_total',
    help: 'Machine reports of clusters: newer than what was known, or of machines they do not have',
    labelNames: ['outcome'],
    registers: [registry],
  });
  return { countReports: (outcome, count) => reports.inc({ outcome }, count) };
}
