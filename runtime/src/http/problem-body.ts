import { STATUS_CODES } from 'node:http';
import { ProblemError, type ProblemType } from './problem.ts';
import { describeViolation, isValidationFailure } from './validation.ts';

/** The body of a problem+json answer: RFC 9457, section 3, with our extensions. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly field?: string;
  readonly requestId: string;
}

function standard(status: number, code: string, title: string) {
  return { type: typeUri(code), title, status, code };
}

/** The problems that every app can answer with. */
export const STANDARD_PROBLEMS = {
  invalidRequest: standard(400, 'FACTORY_ERR_INVALID_REQUEST', 'The request is not valid'),
  badJson: standard(400, 'FACTORY_ERR_BAD_JSON', 'The body is not valid JSON'),
  notFound: standard(404, 'FACTORY_ERR_NOT_FOUND', 'There is no such thing'),
  methodNotAllowed: standard(405, 'FACTORY_ERR_METHOD_NOT_ALLOWED', 'The method is not allowed'),
  bodyTooLarge: standard(413, 'FACTORY_ERR_BODY_TOO_LARGE', 'The body is too large'),
  mediaType: standard(415, 'FACTORY_ERR_MEDIA_TYPE', 'The media type is not supported'),
  internal: standard(500, 'FACTORY_ERR_INTERNAL', 'The service failed'),
} as const;

type Standard = ReturnType<typeof standard>;

/** Fastify's own errors (docs: Reference/Errors) that a client can cause. */
const FASTIFY_PROBLEMS: Readonly<Record<string, Standard>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: STANDARD_PROBLEMS.badJson,
  FST_ERR_CTP_EMPTY_JSON_BODY: STANDARD_PROBLEMS.badJson,
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: STANDARD_PROBLEMS.invalidRequest,
  FST_ERR_CTP_BODY_TOO_LARGE: STANDARD_PROBLEMS.bodyTooLarge,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: STANDARD_PROBLEMS.mediaType,
  FST_ERR_BAD_URL: STANDARD_PROBLEMS.invalidRequest,
};

/** A stable name for the kind of problem, RFC 9457 section 3.1.1. */
function typeUri(code: string): string {
  return `urn:compute-factory:problem:${code}`;
}

/**
 * The problem+json body for whatever a handler threw. Errors that are not meant for callers become
 * a 500 that says nothing but the request id.
 */
export function toProblem(
  error: unknown,
  requestId: string,
): { readonly problem: ProblemBody; readonly headers: Readonly<Record<string, string>> } {
  const headers = retryAfter(error);
  return { problem: problemBody(error, requestId), headers };
}

function problemBody(error: unknown, requestId: string): ProblemBody {
  if (error instanceof ProblemError) {
    return {
      ...error.extra,
      ...fromType(error.type),
      detail: error.message,
      ...(error.field === undefined ? {} : { field: error.field }),
      requestId,
    };
  }
  if (isValidationFailure(error)) {
    const { field, detail } = describeViolation(error.validation, error.validationContext);
    const named = field === undefined ? {} : { field };
    return { ...STANDARD_PROBLEMS.invalidRequest, detail, ...named, requestId };
  }
  return fromForeign(error, requestId);
}

function fromType(type: ProblemType): Standard {
  return standard(type.status, type.code, type.title);
}

/** Errors of fastify and its plugins: those below 500 are the client's, and meant to be read. */
function fromForeign(error: unknown, requestId: string): ProblemBody {
  const status = property(error, 'statusCode');
  if (!(error instanceof Error) || typeof status !== 'number' || status < 400 || status > 499) {
    const detail = `something went wrong inside; the log tells more under request id ${requestId}`;
    return { ...STANDARD_PROBLEMS.internal, detail, requestId };
  }
  const code = property(error, 'code');
  const known = typeof code === 'string' ? FASTIFY_PROBLEMS[code] : undefined;
  // What they complain about is always the body as a whole, or its media type.
  const field = known === STANDARD_PROBLEMS.mediaType ? 'content-type' : 'body';
  if (known !== undefined) return { ...known, detail: error.message, field, requestId };
  // secure-json-parse (a body with `__proto__`) throws a plain SyntaxError.
  if (error instanceof SyntaxError) {
    return { ...STANDARD_PROBLEMS.badJson, detail: error.message, field: 'body', requestId };
  }
  const title = STATUS_CODES[status] ?? 'The request was refused';
  const stable = typeof code === 'string' ? code : `FACTORY_ERR_HTTP_${status}`;
  return { ...standard(status, stable, title), detail: error.message, requestId };
}

/** 429 and 503 may say when to come again: `retryAfterSeconds` of a problem's extra. */
function retryAfter(error: unknown): Readonly<Record<string, string>> {
  const seconds = error instanceof ProblemError ? error.extra.retryAfterSeconds : undefined;
  return typeof seconds === 'number' ? { 'retry-after': String(Math.ceil(seconds)) } : {};
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
