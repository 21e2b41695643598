/** One entry of an error catalogue: a stable code, its HTTP status, a short human title. */
export interface ProblemType {
  readonly code: string;
  readonly status: number;
  readonly title: string;
}

/**
 * An error that a caller may see: rendered as RFC 9457 `application/problem+json` at the edge.
 * `detail` says what was wrong and what to do; `field` names the offending input
 * (`template.memoryMiB`). Internal context goes to `cause`, which never leaves the process.
 */
export class ProblemError extends Error {
  readonly code: string;
  readonly type: ProblemType;
  readonly field: string | undefined;
  readonly extra: Readonly<Record<string, unknown>>;
  constructor(
    type: ProblemType,
    detail: string,
    options: { field?: string; extra?: Readonly<Record<string, unknown>>; cause?: unknown } = {},
  ) {
    super(detail, { cause: options.cause });
    this.name = 'ProblemError';
    this.code = type.code;
    this.type = type;
    this.field = options.field;
    this.extra = options.extra ?? {};
  }
}
