import type { ApiKeyView } from '@factory/contracts';
import type { ApiKeyRecord } from './store.ts';

/** Whether the key works. Pure. */
export function keyState(
  { revoked, expiresAtMs }: Pick<ApiKeyRecord, 'revoked' | 'expiresAtMs'>,
  nowMs: number,
): ApiKeyView['state'] {
  if (revoked) return 'revoked';
  return expiresAtMs !== null && expiresAtMs <= nowMs ? 'expired' : 'active';
}

/** A key as those see it who manage keys. Pure. */
export function showKey(key: ApiKeyRecord, nowMs: number): ApiKeyView {
  const { id, projectId, name, role, scope, allowsUcloud, createdBy, successorId } = key;
  return {
    ...{ id, projectId, name, role, scope, allowsUcloud, createdBy, successorId },
    state: keyState(key, nowMs),
    createdAt: instant(key.createdAtMs),
    expiresAt: maybeInstant(key.expiresAtMs),
    revokedAt: maybeInstant(key.revokedAtMs),
    lastUsedAt: maybeInstant(key.lastUsedAtMs),
  };
}

function instant(atMs: number): string {
  return new Date(atMs).toISOString();
}

function maybeInstant(atMs: number | null): string | null {
  return atMs === null ? null : instant(atMs);
}
