import type { AuditStore } from '../../audit/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link AuditStore}. */
export function createMemoryAudit({ auditLog }: MemoryDatabase): AuditStore {
  return {
    append: async (records) => {
      for (const record of records) {
        auditLog.push({ ...record, id: (auditLog.at(-1)?.id ?? 0) + 1 });
      }
    },
    list: async ({ organisationId, actor, operation, before, limit }) =>
      auditLog
        .filter(
          (each) =>
            (organisationId === undefined || each.organisationId === organisationId) &&
            (actor === undefined || each.actor === actor) &&
            (operation === undefined || each.operation === operation) &&
            (before === undefined || each.id < before),
        )
        .reverse()
        .slice(0, limit),
    forget: async (beforeMs) => {
      const kept = auditLog.findIndex((each) => each.atMs >= beforeMs);
      return auditLog.splice(0, kept === -1 ? auditLog.length : kept).length;
    },
  };
}
