import { type ExchangeRequest, type OperationId, PROBLEMS, type Refusal } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { assignment, vmIdNumber } from '../testing/samples.ts';
import { World } from '../testing/world.ts';
import { Outbox } from './outbox.ts';

/** A linked cluster whose vm-scheduler refuses every body that names one of these machines. */
async function refusing(...ns: readonly number[]) {
  const world = await World.create();
  const service = world.start();
  const { apiServer, vmScheduler, clock } = world;
  vmScheduler.beforeChange = (body) => {
    const text = JSON.stringify(body);
    const isWrong = ns.some((n) => text.includes(vmIdNumber(n)));
    if (isWrong) throw new ProblemError(PROBLEMS.invalidRequest, 'vms/0/spec: no such field');
  };
  const isAcknowledged = (seq: number) =>
    clock.runUntil(() => apiServer.acknowledgedSeq === seq, 60_000, 'the acknowledgement');
  const reported = () => apiServer.exchanges.map(({ reports }) => reports);
  return { world, service, apiServer, vmScheduler, isAcknowledged, reported };
}

const refusalsIn = (all: readonly ExchangeRequest['reports'][]): readonly Refusal[] =>
  all.flatMap(({ refusals }) => refusals ?? []);

describe('a command that the vm-scheduler refuses', () => {
  it('is refused for the machines alone that are wrong, and these are told upward', async () => {
    const { world, service, apiServer, vmScheduler, isAcknowledged, reported } = await refusing(3);
    const vms = [1, 2, 3, 4, 5].map(assignment);
    await isAcknowledged(apiServer.command({ kind: 'assignVms', vms }));
    const taken = vmScheduler.puts.flat().map(({ vmId }) => vmId);
    expect(taken.sort()).toEqual([1, 2, 4, 5].map(vmIdNumber));
    expect(refusalsIn(reported())).toEqual([
      expect.objectContaining({ vmId: vmIdNumber(3), generation: 1, kind: 'refused' }),
    ]);
    expect(refusalsIn(reported())[0]?.message).toContain('no such field');
    await world.stop(service);
  });

  it('does not hold up those behind it', async () => {
    const { world, service, apiServer, vmScheduler, isAcknowledged } = await refusing(1);
    apiServer.command({ kind: 'assignVms', vms: [assignment(1)] });
    await isAcknowledged(apiServer.command({ kind: 'assignVms', vms: [assignment(2)] }));
    expect(vmScheduler.puts.flat().map(({ vmId }) => vmId)).toEqual([vmIdNumber(2)]);
    await world.stop(service);
  });

  it('is told no later than it is acknowledged', async () => {
    const { world, service, apiServer, isAcknowledged, reported } = await refusing(1);
    let isFirst = true;
    apiServer.beforeExchange = ({ reports }) => {
      if (reports.refusals === undefined || !isFirst) return;
      isFirst = false;
      throw new ProblemError(PROBLEMS.notReady, 'not now');
    };
    const seq = apiServer.command({ kind: 'assignVms', vms: [assignment(1)] });
    await isAcknowledged(seq);
    const first = apiServer.exchanges.find(({ appliedCommandSeq }) => appliedCommandSeq === seq);
    expect(first?.reports.refusals).toHaveLength(1);
    expect(refusalsIn(reported())).toHaveLength(1);
    await world.stop(service);
  });

  it('fails an operation with the words of the vm-scheduler', async () => {
    const { world, service, apiServer, isAcknowledged, reported } = await refusing(1);
    const operationId = `op_${'1'.padStart(32, '0')}` as OperationId;
    const operations = [{ operationId, vmId: vmIdNumber(1), kind: 'reboot' as const }];
    await isAcknowledged(apiServer.command({ kind: 'operate', operations }));
    expect(reported().flatMap((each) => each.operations)).toMatchObject([
      { operationId, outcome: 'failed', message: expect.stringContaining('no such field') },
    ]);
    await world.stop(service);
  });

  it('is told of as unknown when it is a wish for a machine that is not there', async () => {
    const { world, service, apiServer, vmScheduler, isAcknowledged, reported } = await refusing();
    vmScheduler.unknown = [vmIdNumber(2)];
    const changes = [1, 2].map((n) => ({
      ...{ vmId: vmIdNumber(n), generation: 4, desired: 'deleted' as const },
    }));
    await isAcknowledged(apiServer.command({ kind: 'setDesired', changes }));
    expect(refusalsIn(reported())).toMatchObject([
      { vmId: vmIdNumber(2), generation: 4, kind: 'unknown' },
    ]);
    await world.stop(service);
  });
});

describe('more refusals than one exchange holds', () => {
  it('hold back the acknowledgement of their commands', () => {
    const outbox = new Outbox();
    const refusal = (n: number): Refusal => ({
      ...{ vmId: vmIdNumber(n), generation: 1, kind: 'refused', message: 'no' },
    });
    const numbers = Array.from({ length: 1_500 }, (_, n) => n);
    outbox.addRefusals(7, numbers.map(refusal));
    outbox.addRefusals(
      8,
      numbers.map((n) => refusal(n + 1_500)),
    );
    const first = outbox.take();
    expect(first.reports.refusals).toHaveLength(2_000);
    expect(first.heldSeq).toBe(8);
    outbox.acknowledge(first.reports);
    const second = outbox.take();
    expect(second.reports.refusals).toHaveLength(1_000);
    expect(second.heldSeq).toBe(Number.POSITIVE_INFINITY);
    outbox.acknowledge(second.reports);
    expect(outbox.isEmpty).toBe(true);
  });
});

it('a host that is declared gone is marked so at the master, unless it is there', async () => {
  const { world, service, apiServer, vmScheduler, isAcknowledged } = await refusing();
  const [there] = world.hosts;
  if (there === undefined) throw new Error('there is a host');
  const away = { ...there, agentId: 'agent-2', hostName: 'host-2', active: false };
  world.hosts = [there, away];
  for (const { hostName } of world.hosts) {
    await isAcknowledged(apiServer.command({ kind: 'declareHostGone', hostName }));
  }
  expect(world.markedGone).toEqual(['agent-2']);
  expect(vmScheduler.hostsGone).toEqual(['host-1', 'host-2']);
  await world.stop(service);
});
