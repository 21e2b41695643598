import type { HostTunnel, SchedulerMessage } from '@factory/contracts';
import { silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { expect, it } from 'vitest';
import { PeersDesk } from './peers-desk.ts';
import { SchedulerState } from './state.ts';
import { createMemoryStore } from './store/memory-store.ts';
import { launchedRecord, sampleAssignment } from './testing/samples.ts';
import { applyHostGone, applyTunnel, type VmRecord } from './vm-record.ts';

const VMS = 5_000;
const HOSTS = 200;
const CHANGES = 5;

const hostOf = (n: number): number => n % HOSTS;
const addressOf = (host: number): string => `192.0.2.${host}`;

function recordOf(n: number): VmRecord {
  const { spec } = sampleAssignment(n);
  const bytes = [n >> 8, n & 255].map((byte) => byte.toString(16).padStart(2, '0'));
  const macAddress = `52:00:00:07:${bytes.join(':')}`;
  const ipAddress = `10.80.${n >> 8}.${n & 255}`;
  const network = { ...spec.network, vni: 7, macAddress, ipAddress };
  const record = launchedRecord(n, { spec: { ...spec, hostname: `farm-${n}`, network } });
  return applyTunnel({ ...record, boundAgentId: `agent-${hostOf(n)}` }, addressOf(hostOf(n)));
}

it('a change of a subnet with 5,000 machines costs each of its 200 hosts little', () => {
  const state = new SchedulerState(createMemoryStore(), new VirtualClock(), silentLogger);
  let bytes = 0;
  const heard = new Map<string, HostTunnel>();
  const tell = (agentId: string, message: SchedulerMessage): void => {
    bytes += Buffer.from(JSON.stringify(message)).toString('base64').length;
    if (!('epoch' in message)) return;
    const { epoch, digest } = message;
    heard.set(agentId, {
      ...HEARD,
      address: addressOf(hostOf(Number(agentId.slice(6)))),
      epoch,
      digest,
    });
  };
  const desk = new PeersDesk({ state, clock: new VirtualClock(), tell });
  for (let n = 1; n <= VMS; n += 1) state.putVm(recordOf(n));
  for (let host = 0; host < HOSTS; host += 1) {
    desk.heard(`agent-${host}`, { ...HEARD, address: addressOf(host), epoch: 0, digest: '' });
  }
  const hearAll = (): void => {
    for (const [agentId, tunnel] of heard) desk.heard(agentId, tunnel);
  };
  desk.tellChanged();
  hearAll();
  const firstBytes = bytes;
  bytes = 0;
  const before = process.cpuUsage();
  for (let n = 1; n <= CHANGES; n += 1) {
    state.putVm(applyHostGone(recordOf(n), 1));
    desk.tellChanged();
    hearAll();
  }
  const { user, system } = process.cpuUsage(before);
  const perChange = (value: number): number => Math.round(value / CHANGES);
  process.stdout.write(
    `peers of ${VMS} machines on ${HOSTS} hosts: ${firstBytes} bytes at first; a change ` +
      `${perChange(bytes)} bytes and ${(perChange(user + system) / 1_000).toFixed(1)} ms of CPU\n`,
  );
  expect(bytes).toBeGreaterThan(0);
  expect(perChange(bytes)).toBeLessThan(firstBytes / 500);
});

const HEARD = { takesChanges: true };
