import type { WebhookRecord, WebhookStore } from '../../webhooks/store.ts';
import type { MemoryDatabase } from './database.ts';

/** See {@link WebhookStore}. */
export function createMemoryWebhooks(db: MemoryDatabase): WebhookStore {
  const { webhooks, deliveries } = db;
  const find = (projectId: string, id: string): WebhookRecord | undefined => {
    const found = webhooks.get(id);
    return found?.projectId === projectId ? found : undefined;
  };
  const listOf = (projectId: string): readonly WebhookRecord[] =>
    [...webhooks.values()].filter((each) => each.projectId === projectId);
  return {
    create: async (record, max) => {
      const others = listOf(record.projectId);
      if (others.some(({ name }) => name === record.name)) return 'nameTaken';
      if (others.length >= max) return 'tooMany';
      webhooks.set(record.id, record);
      return 'created';
    },
    list: async (projectId) => listOf(projectId),
    find: async (projectId, id) => find(projectId, id),
    change: async (projectId, id, patch) => {
      const found = find(projectId, id);
      if (found === undefined) return undefined;
      const changed = { ...found, ...patch };
      webhooks.set(id, changed);
      return changed;
    },
    delete: async (projectId, id) => find(projectId, id) !== undefined && webhooks.delete(id),
    claim: async (nowMs, untilMs) => {
      const [due] = [...webhooks.values()]
        .filter(
          (each) =>
            each.state === 'active' &&
            db.ledger.lastSeq(each.projectId) !== each.cursorSeq &&
            each.dueAtMs <= nowMs &&
            each.leaseUntilMs <= nowMs,
        )
        .sort((a, b) => a.dueAtMs - b.dueAtMs);
      if (due === undefined) return undefined;
      const claimed = { ...due, leaseUntilMs: untilMs };
      webhooks.set(due.id, claimed);
      return claimed;
    },
    settle: async ({ id, leaseUntilMs }, standing, delivery) => {
      const found = webhooks.get(id);
      if (found?.leaseUntilMs !== leaseUntilMs) return;
      const { state, reason, ...place } = standing;
      const end = state === 'disabled' ? { state, reason } : {};
      webhooks.set(id, { ...found, ...place, ...end, leaseUntilMs: 0 });
      if (delivery === undefined) return;
      deliveries.push({ ...delivery, id: (deliveries.at(-1)?.id ?? 0) + 1 });
    },
    deliveries: async (id, before, limit) =>
      deliveries
        .filter((each) => each.webhookId === id && (before === undefined || each.id < before))
        .reverse()
        .slice(0, limit),
    forgetDeliveries: async (beforeMs) => {
      const kept = deliveries.findIndex((each) => each.atMs >= beforeMs);
      return deliveries.splice(0, kept === -1 ? deliveries.length : kept).length;
    },
  };
}
