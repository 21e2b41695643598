/** Who has a machine is warned so long before it ends, or a tenth of its time if that is less. */
const WARNING_MS = 15 * 60_000;

/** When a batch ends by itself, and when its owner hears of it; null: never. */
export interface Lifetime {
  readonly expiresAtMs: number | null;
  readonly warnAtMs: number | null;
}

/** What a request says of how long a batch is to last. */
export interface LifetimeWish {
  /** From now on; null: for ever. */
  readonly lifetimeSeconds?: number | null;
  /** RFC 3339; null: for ever. */
  readonly expiresAt?: string | null;
}

export type LifetimeRuling =
  | { readonly kind: 'unsaid' }
  | { readonly kind: 'sound'; readonly lifetime: Lifetime }
  | { readonly kind: 'invalid'; readonly field: string; readonly detail: string };

/** How long a batch is to last, counted from now. Pure. */
export function ruleLifetime(wish: LifetimeWish, nowMs: number): LifetimeRuling {
  const { lifetimeSeconds, expiresAt } = wish;
  if (lifetimeSeconds !== undefined && expiresAt !== undefined) {
    const detail = 'give either lifetimeSeconds or expiresAt, not both';
    return { kind: 'invalid', field: 'expiresAt', detail };
  }
  if (lifetimeSeconds === undefined && expiresAt === undefined) return { kind: 'unsaid' };
  const seconds = lifetimeSeconds ?? null;
  const text = expiresAt ?? null;
  if (seconds === null && text === null) {
    return { kind: 'sound', lifetime: { expiresAtMs: null, warnAtMs: null } };
  }
  const expiresAtMs = text === null ? nowMs + (seconds ?? 0) * 1000 : Date.parse(text);
  if (!(expiresAtMs > nowMs)) {
    return { kind: 'invalid', field: 'expiresAt', detail: 'expiresAt must be in the future' };
  }
  const warnAtMs = Math.round(expiresAtMs - Math.min(WARNING_MS, (expiresAtMs - nowMs) / 10));
  return { kind: 'sound', lifetime: { expiresAtMs, warnAtMs } };
}
