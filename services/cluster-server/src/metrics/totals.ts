import type { VmSample } from '@factory/contracts';
import { Gauge, type Registry } from 'prom-client';

type Total = 'cpuPercent' | 'residentMiB' | 'memoryMiB' | Bytes;
type Bytes = 'diskReadBytes' | 'diskWriteBytes' | 'netReceivedBytes' | 'netSentBytes';

/** Of each gauge its name, what it says, and what it sums up. */
const TOTALS = [
  ['factory_vms_cpu_cores', 'Cores that machines use', 'cpuPercent', 1 / 100],
  ['factory_vms_memory_bytes', 'Memory given to machines', 'memoryMiB', 1024 * 1024],
  ['factory_vms_resident_bytes', 'Memory that machines take', 'residentMiB', 1024 * 1024],
  ['factory_vms_disk_read_bytes_per_second', 'Read from disks', 'diskReadBytes', 1],
  ['factory_vms_disk_written_bytes_per_second', 'Written to disks', 'diskWriteBytes', 1],
  ['factory_vms_received_bytes_per_second', 'Received by machines', 'netReceivedBytes', 1],
  ['factory_vms_sent_bytes_per_second', 'Sent by machines', 'netSentBytes', 1],
] as const satisfies readonly (readonly [string, string, Total, number])[];

/** What all machines of the cluster use together; of single ones the API tells. */
export function createTotals(registry: Registry): (samples: readonly VmSample[]) => void {
  const registers = [registry];
  const measured = new Gauge({
    name: 'factory_vms_measured',
    help: 'Machines of which it is known what they use',
    registers,
  });
  const gauges = TOTALS.map(([name, help, field, factor]) => {
    return { gauge: new Gauge({ name, help, registers }), field, factor };
  });
  return (samples) => {
    measured.set(samples.length);
    for (const { gauge, field, factor } of gauges) {
      gauge.set(samples.reduce((sum, sample) => sum + sample[field], 0) * factor);
    }
  };
}
