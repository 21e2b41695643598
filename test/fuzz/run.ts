import { type Clock, withDeadline } from '@factory/runtime';
import fc from 'fast-check';
import { type OpenApiDocument, operationsOf } from './operations.ts';
import { type FuzzRequest, requestOf } from './requests.ts';

/** What came back. */
export interface FuzzAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface FuzzOptions {
  readonly document: OpenApiDocument;
  readonly count: number;
  readonly seed: number;
  readonly clock: Clock;
  /** Under way at a time. */
  readonly lanes: number;
  /** An answer that takes longer counts as a hang. */
  readonly deadlineMs: number;
  readonly send: (request: FuzzRequest) => Promise<FuzzAnswer>;
  /** Operations that would end the run itself. */
  readonly except?: readonly string[];
  /** Ids that must outlive the run, such as that of the key that signs. */
  readonly spared?: readonly string[];
}

export interface FuzzReport {
  readonly sent: number;
  /** How many answers of each status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** What must not be, each with the request that brought it. */
  readonly faults: readonly string[];
  /** Operations that never were answered with success: what lies behind was not reached. */
  readonly neverGood: readonly string[];
}

const FAULTS_SHOWN = 50;
const IDS_KEPT = 200;

/**
 * Sends generated requests to all operations of the document. A fault is a 5xx, an answer that does
 * not come, an error that is no problem+json, and a problem without a code.
 */
export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { document, count, seed, except = [], spared = [] } = options;
  const operations = operationsOf(document).filter((each) => !except.includes(each.operationId));
  const requests = fc.sample(requestOf(operations), { numRuns: count, seed })[Symbol.iterator]();
  const ids = new KnownIds(spared);
  const statuses = new Map<number, number>();
  const good = new Set<string>();
  const faults: string[] = [];
  const lane = async (): Promise<void> => {
    for (const template of requests) {
      const request = ids.putInto(template);
      const { fault, answer } = await attempt(options, request);
      if (answer !== undefined) {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status < 300) good.add(request.operationId);
        ids.learn(answer.body);
      }
      if (fault !== undefined && faults.length < FAULTS_SHOWN) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: options.lanes }, lane));
  const neverGood = operations.map((each) => each.operationId).filter((each) => !good.has(each));
  return { sent: count, statuses, faults, neverGood };
}

async function attempt(
  { clock, deadlineMs, send }: FuzzOptions,
  request: FuzzRequest,
): Promise<{ readonly fault?: string; readonly answer?: FuzzAnswer }> {
  try {
    const answer = await withDeadline(clock, 'the answer', deadlineMs, () => send(request));
    const wrong = wrongWith(answer);
    if (wrong === undefined) return { answer };
    return { answer, fault: `${wrong}: ${shown(request)}: ${answer.body.slice(0, 300)}` };
  } catch (error) {
    return { fault: `${error}: ${shown(request)}` };
  }
}

function wrongWith({ status, contentType, body }: FuzzAnswer): string | undefined {
  if (status >= 500) return String(status);
  if (status < 400) return undefined;
  if (!contentType.startsWith('application/problem+json')) return `${status} as ${contentType}`;
  const { code, requestId } = Object(JSON.parse(body));
  if (typeof code !== 'string' || typeof requestId !== 'string') return `${status} without a code`;
  return undefined;
}

function shown({ operationId, method, url, headers, body }: FuzzRequest): string {
  const given = JSON.stringify(headers).slice(0, 300);
  return `${operationId} ${method} ${url.slice(0, 300)} ${given} ${body?.slice(0, 600) ?? ''}`;
}

/** The ids that answers have shown, by prefix: requests are about things that there are. */
class KnownIds {
  readonly #byPrefix = new Map<string, string[]>();
  readonly #spared: ReadonlySet<string>;

  constructor(spared: readonly string[]) {
    this.#spared = new Set(spared);
  }

  learn(body: string): void {
    for (const [id, prefix = ''] of body
      .slice(0, 20_000)
      .matchAll(/\b([a-z]{2,4})_[0-9a-f]{32}/g)) {
      if (this.#spared.has(id)) continue;
      const known = this.#byPrefix.get(prefix) ?? [];
      if (!known.includes(id)) known.push(id);
      if (known.length > IDS_KEPT) known.shift();
      this.#byPrefix.set(prefix, known);
    }
  }

  /** The newest ones first: the oldest are gone by then. */
  putInto(request: FuzzRequest): FuzzRequest {
    const fill = (text: string): string =>
      text.replace(/<<([a-z]+):(\d+)>>/g, (_all, prefix: string, number: string) => {
        const known = this.#byPrefix.get(prefix) ?? [];
        const unknown = `${prefix}_${number.padStart(32, '0')}`;
        return known[known.length - 1 - (Number(number) % Math.max(8, known.length))] ?? unknown;
      });
    const { url, body } = request;
    return { ...request, url: fill(url), body: body === undefined ? undefined : fill(body) };
  }
}
