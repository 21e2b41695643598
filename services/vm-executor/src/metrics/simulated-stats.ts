import type { SimulatedHost } from '../hypervisor/simulated-host.ts';
import type { StatsPort } from './port.ts';

/** Shares of what is possible that simulated guests use. */
const CPU_SHARE = 0.25;
const RESIDENT_SHARE = 0.5;
const BYTES_PER_S = 64 * 1_024;
const BYTES_PER_UNIT = 4 * 1_024;

/** Simulated guests use a quarter of their cores, and a little of disk and network, since power-on. */
export function createSimulatedStats(host: SimulatedHost): StatsPort {
  const lives = new Map<string, number>();
  return {
    async collect() {
      await host.call();
      const nowMs = host.clock.monotonicMs();
      const running = [...host.domains.entries()].filter(([, domain]) => domain.on);
      return running.map(([vmId, { plan, life }]) => {
        const key = `${vmId}/${life}`;
        const onSinceMs = lives.get(key) ?? nowMs;
        lives.set(key, onSinceMs);
        const seconds = (nowMs - onSinceMs) / 1_000;
        const bytes = Math.floor(seconds * BYTES_PER_S);
        const units = Math.floor(bytes / BYTES_PER_UNIT);
        return {
          vmId,
          cpuTimeNs: Math.floor(seconds * plan.vcpus * CPU_SHARE * 1e9),
          memoryMiB: plan.memoryMiB,
          residentMiB: plan.memoryMiB * RESIDENT_SHARE,
          ...{ diskReadBytes: bytes, diskWriteBytes: bytes, diskReads: units, diskWrites: units },
          ...{ netReceivedBytes: bytes, netSentBytes: bytes },
          ...{ netReceivedPackets: units, netSentPackets: units },
        };
      });
    },
  };
}
