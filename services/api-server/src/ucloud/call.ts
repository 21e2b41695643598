import type { UCLOUD_CODES, UcloudParams } from '@factory/contracts';

/** Why an action is not carried out, in UCloud's terms. */
export class UcloudError extends Error {
  readonly code: keyof typeof UCLOUD_CODES;
  /** Of our own API's request, where it is at fault. */
  readonly field: string | undefined;
  constructor(code: keyof typeof UCLOUD_CODES, message: string, field?: string) {
    super(message);
    this.field = field;
    this.name = 'UcloudError';
    this.code = code;
  }
}

/**
 * A call of our own REST API for the one who asks: with the same checks, rules and traces as any other.
 * @throws UcloudError for every answer that is not a success.
 */
export type RestCall = (
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
) => Promise<unknown>;

/** What UCloud says for a status of ours. Pure. */
export function codeFor(status: number): keyof typeof UCLOUD_CODES {
  if (status === 403) return 'denied';
  if (status === 429) return 'throttled';
  if (status === 504) return 'timeout';
  return status >= 500 ? 'unavailable' : 'badParameter';
}

/** @throws UcloudError when it is missing. */
export function required(params: UcloudParams, name: string): string {
  const value = params[name];
  if (value === undefined || value === '') {
    throw new UcloudError('missingParameter', `Missing params [${name}]`);
  }
  return value;
}

/** A whole number. @throws UcloudError when it is another thing. */
export function integer(
  params: UcloudParams,
  name: string,
  range: { readonly min: number; readonly max: number; readonly default: number },
): number {
  const text = params[name];
  if (text === undefined) return range.default;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw unavailable(name);
}

/** `UHostIds.0`, `UHostIds.1` …, in their order. */
export function list(params: UcloudParams, name: string): readonly string[] {
  return Object.keys(params)
    .filter((key) => key.startsWith(`${name}.`) && /^\d+$/.test(key.slice(name.length + 1)))
    .sort((a, b) => Number(a.slice(name.length + 1)) - Number(b.slice(name.length + 1)))
    .map((key) => params[key] ?? '');
}

/** A value that there is not. */
export function unavailable(name: string): UcloudError {
  return new UcloudError('badParameter', `Params [${name}] not available`);
}
