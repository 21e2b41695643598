import { availableParallelism, freemem, loadavg, totalmem } from 'node:os';

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
