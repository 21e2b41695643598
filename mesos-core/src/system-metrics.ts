import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';
import type { Clock } from '@factory/runtime';
import { MesosHttpError } from './http/mesos-http.ts';
import { parseDurationMs } from './protocol/index.ts';

/** Figures of the machine by Mesos' names. */
export function systemMetrics(): Readonly<Record<string, number>> {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  return {
    'system/cpus_total': availableParallelism(),
    'system/load_1min': load1,
    'system/load_5min': load5,
    'system/load_15min': load15,
    'system/mem_free_bytes': freemem(),
    'system/mem_total_bytes': totalmem(),
  };
}

/** The answer of `GET /system/stats.json`. */
export function systemStats(clock: Clock): Readonly<Record<string, number>> {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg();
  return {
    avg_load_1min: load1,
    avg_load_5min: load5,
    avg_load_15min: load15,
    cpus_total: availableParallelism(),
    mem_total_bytes: totalmem(),
    mem_free_bytes: freemem(),
    timestamp: clock.nowMs() / 1000,
  };
}

/**
 * Of `GET /metrics/snapshot?timeout=`: figures are all there at once, so there is nothing to wait for.
 * @throws MesosHttpError 400 when it is no duration.
 */
export function checkTimeout(text: string | null): void {
  if (text === null || parseDurationMs(text) !== undefined) return;
  throw new MesosHttpError(400, `Invalid timeout '${text}': not a duration such as 5secs`);
}
