import {
  type OrganisationId,
  PROBLEMS,
  USAGE_GROUPS,
  type Usage,
  type UsageGroup,
  type UsageRow,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import { csvLine } from './csv.ts';
import {
  HOUR_S,
  OPEN,
  type UsageInterval,
  type UsageScope,
  type UsageStore,
  type UsageSumsRow,
} from './store.ts';

const ROWS_MAX = 10_000;
const PERIOD_S_MAX = 366 * 24 * HOUR_S;
const RECORDS_PAGE = 2_000;

/** A period and how it is grouped, as it is asked for. */
export interface UsageWish {
  readonly from: string;
  readonly to?: string;
  readonly groupBy?: string;
}

/** What machines used, for those who pay for it and those who provide it. */
export class UsageService {
  readonly #store: Pick<ApiStore, 'usage' | 'clusters'>;
  readonly #clock: Clock;

  constructor(store: Pick<ApiStore, 'usage' | 'clusters'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @throws ProblemError when the period or a group can't be; when there are too many groups. */
  async get(scope: UsageScope, wish: UsageWish): Promise<Usage> {
    const nowS = this.#nowS();
    const period = readPeriod(wish, nowS, HOUR_S);
    const groups = readGroups(wish.groupBy);
    const rows = await this.#store.usage.sums({
      ...{ scope, groups, nowS, ...period, limit: ROWS_MAX + 1 },
    });
    if (rows.length > ROWS_MAX) {
      const detail = `These are more than ${ROWS_MAX} groups: ask for a shorter period, or group by day.`;
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'groupBy' });
    }
    const clusters = await this.#store.clusters.list();
    const names = new Map<string, string>(clusters.map(({ id, name }) => [id, name]));
    return {
      from: time(period.fromS),
      to: time(Math.min(period.toS, nowS)),
      items: rows.map((row) => showSums(row, names)),
    };
  }

  /** A cluster's use, for those who may know it. @throws ProblemError 404 for all others. */
  async ofCluster(
    nameOrId: string,
    owner: OrganisationId | undefined,
    wish: UsageWish,
  ): Promise<Usage> {
    const cluster = await this.#store.usage.cluster(nameOrId, owner);
    if (cluster === undefined) {
      throw new ProblemError(PROBLEMS.notFound, `There is no cluster ${nameOrId}.`);
    }
    return this.get({ clusterId: cluster.id }, wish);
  }

  /** The intervals of a project as CSV, as many at a time as are asked for. */
  records(scope: { readonly projectId: UsageInterval['projectId'] }, wish: UsageWish) {
    const nowS = this.#nowS();
    const period = readPeriod(wish, nowS, 1);
    return recordLines(this.#store.usage, { ...scope, ...period }, nowS);
  }

  #nowS(): number {
    return Math.floor(this.#clock.nowMs() / 1000);
  }
}

/** Groups as CSV. Pure. */
export function usageCsv({ items }: Usage): string {
  const names = [
    ...['from', 'projectId', 'clusterId', 'cluster', 'machineHours', 'coreHours'],
    ...['memoryGiBHours', 'diskGiBHours'],
  ] as const satisfies readonly (keyof UsageRow)[];
  return [csvLine(names), ...items.map((row) => csvLine(names.map((name) => row[name])))].join('');
}

async function* recordLines(
  store: UsageStore,
  query: { projectId: UsageInterval['projectId']; fromS: number; toS: number },
  nowS: number,
): AsyncGenerator<string> {
  yield csvLine([
    ...['from', 'to', 'seconds', 'isOpen', 'vmId', 'batchId', 'clusterId'],
    ...['vcpus', 'memoryMiB', 'diskGiB'],
  ]);
  let after: UsageInterval | undefined;
  for (;;) {
    const from = after === undefined ? {} : { after };
    const page = await store.records({ ...query, ...from, limit: RECORDS_PAGE });
    const lines = page.map((each) => recordLine(each, query, nowS));
    yield lines.join('');
    after = page.at(-1);
    if (page.length < RECORDS_PAGE || after === undefined) return;
  }
}

/** An interval as far as it is within the period. */
function recordLine(
  interval: UsageInterval,
  period: { readonly fromS: number; readonly toS: number },
  nowS: number,
): string {
  const { vmId, batchId, clusterId, vcpus, memoryMiB, diskGiB } = interval;
  const fromS = Math.max(interval.fromS, period.fromS);
  const toS = Math.max(fromS, Math.min(interval.toS, period.toS, nowS));
  return csvLine([
    ...[time(fromS), time(toS), toS - fromS, interval.toS === OPEN ? 'yes' : 'no'],
    ...[vmId, batchId, clusterId, vcpus, memoryMiB, diskGiB],
  ]);
}

function showSums(row: UsageSumsRow, names: ReadonlyMap<string, string>): UsageRow {
  const { fromS, projectId, clusterId } = row;
  const cluster = clusterId === undefined ? undefined : names.get(clusterId);
  return {
    ...(fromS === undefined ? {} : { from: time(fromS) }),
    ...(projectId === undefined ? {} : { projectId }),
    ...(clusterId === undefined ? {} : { clusterId }),
    ...(cluster === undefined ? {} : { cluster }),
    machineHours: row.machineSeconds / HOUR_S,
    coreHours: row.vcpuSeconds / HOUR_S,
    memoryGiBHours: row.memoryMiBSeconds / 1024 / HOUR_S,
    diskGiBHours: row.diskGiBSeconds / HOUR_S,
  };
}

function readPeriod(wish: UsageWish, nowS: number, stepS: number) {
  const fromS = readTime(wish.from, 'from', stepS);
  const toS = wish.to === undefined ? nowS : readTime(wish.to, 'to', stepS);
  if (toS <= fromS || toS - fromS > PERIOD_S_MAX) {
    const detail = 'The period begins before it ends, and is at most 366 days long.';
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'to' });
  }
  return { fromS, toS };
}

function readTime(text: string, field: string, stepS: number): number {
  const seconds = Date.parse(text) / 1000;
  if (Number.isFinite(seconds) && seconds >= 0 && seconds % stepS === 0) return seconds;
  const detail =
    stepS === HOUR_S
      ? `${field} must be a full hour, as in 2026-07-01T00:00:00Z: sums are made by the hour.`
      : `${field} must be a full second, as in 2026-07-01T00:00:00Z.`;
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field });
}

function readGroups(text: string | undefined): readonly UsageGroup[] {
  if (text === undefined || text === '') return [];
  const groups = text.split(',').map((each) => {
    const group = USAGE_GROUPS.find((known) => known === each);
    if (group !== undefined) return group;
    const detail = `Usage is grouped by ${USAGE_GROUPS.join(', ')}, not by ${each}.`;
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'groupBy' });
  });
  if (
    new Set(groups).size === groups.length &&
    !(groups.includes('hour') && groups.includes('day'))
  )
    return groups;
  const detail = 'Each group is named once, and of hour and day only one.';
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'groupBy' });
}

function time(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
