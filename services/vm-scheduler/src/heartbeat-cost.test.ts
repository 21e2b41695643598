import { DigestKeeper } from '@factory/contracts';
import { expect, it } from 'vitest';
import { launchedRecord, sampleObservation, vmIdNumber } from './testing/samples.ts';
import { World } from './testing/world.ts';
import { applyObservation } from './vm-record.ts';

const VMS = 500;
const BEATS = 40;

it('a heartbeat of an unchanged host with 500 machines costs a fraction of telling all', async () => {
  const world = await World.subscribed();
  const { state } = world.service;
  const observations = Array.from({ length: VMS }, (_, index) => sampleObservation(index + 1));
  const keeper = new DigestKeeper();
  for (const [index, observation] of observations.entries()) {
    state.putVm(applyObservation(launchedRecord(index + 1), observation, 1));
    keeper.set(vmIdNumber(index + 1), observation.seq);
  }
  await state.commit();
  const [all, digest] = [{ full: true }, { digest: keeper.digest() }];
  const bytesOf = (message: object): number => JSON.stringify(message).length;
  const cpuMsOf = async (say: () => void): Promise<number> => {
    for (let beat = 0; beat < BEATS; beat += 1) say();
    await world.settle();
    const before = process.cpuUsage();
    for (let beat = 0; beat < BEATS; beat += 1) say();
    await world.settle();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000 / BEATS;
  };
  const fullMs = await cpuMsOf(() => world.framework.say('agent-1', observations, all));
  const digestMs = await cpuMsOf(() => world.framework.say('agent-1', [], digest));
  const status = { type: 'status', full: false, vms: [], operations: [] };
  const [fullBytes, digestBytes] = [
    bytesOf({ ...status, ...all, vms: observations }),
    bytesOf({ ...status, ...digest }),
  ];
  process.stdout.write(
    `heartbeat of ${VMS} VMs: all told ${fullMs.toFixed(3)} ms of CPU and ${fullBytes} bytes, ` +
      `by digest ${digestMs.toFixed(3)} ms and ${digestBytes} bytes\n`,
  );
  expect(world.framework.told()).toEqual([]);
  expect(digestMs).toBeLessThan(fullMs / 5);
  expect(digestBytes).toBeLessThan(fullBytes / 100);
}, 60_000);
