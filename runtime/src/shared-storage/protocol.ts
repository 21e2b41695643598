import type { operations } from './operations.ts';

/** What a storage helper can do. */
type Operations = typeof operations;
export type OperationName = keyof Operations;
export type OperationParams<K extends OperationName> = Parameters<Operations[K]>[0];
export type OperationResult<K extends OperationName> = Awaited<ReturnType<Operations[K]>>;

/** One line to a helper; it works on one at a time. */
export interface HelperRequest {
  readonly name: OperationName;
  readonly params: unknown;
}

/** One line from a helper; every request ends with `result` or `error`. */
export type HelperWord =
  | { readonly kind: 'progress'; readonly progress: { doneBytes: number; totalBytes: number } }
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: string; readonly message: string };
