import type { SecurityRule, VmSpec } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { VmFailure } from './failures.ts';
import { TEST_VOLUME, TestHost, testTask, testVmId } from './testing.ts';

const vmId = testVmId(1);
const { spec } = testTask(1);

function wish(host: TestHost, generation: number, wished: VmSpec): void {
  const change = { vmId, generation, desired: 'running' as const, spec: wished };
  host.link.say({ type: 'setDesired', changes: [change] });
}

const recordOf = ({ executor }: TestHost) => executor.records()[0];

describe('a wish with a new spec', () => {
  it('is carried out, and the machine is what it is to be', async () => {
    const host = await TestHost.withRunningVm();
    wish(host, 2, { ...spec, userData: '#!/bin/sh' });
    await host.run(1_000);
    expect(recordOf(host)).toMatchObject({ spec: { userData: '#!/bin/sh' }, wishedSpec: null });
    expect(host.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
  });

  it('sets the rules of the cards of a machine that runs, at last', async () => {
    const host = await TestHost.withRunningVm();
    const rule: SecurityRule = { direction: 'in', protocol: 'tcp', action: 'accept' };
    const card = { vmId, ...spec.network };
    expect(host.host.network.rulesOf(card)).toEqual([]);
    host.host.network.mayFail = () => new VmFailure('NETWORK_ERROR', 'not now');
    wish(host, 2, { ...spec, network: { ...spec.network, securityRules: [rule] } });
    await host.run(10_000);
    expect(host.link.latest(vmId)).toMatchObject({ state: 'running', generation: 1 });
    host.host.network.mayFail = () => undefined;
    await host.run(30_000);
    expect(host.host.network.rulesOf(card)).toEqual([rule]);
    expect(host.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
  });

  it('does not change the cards of a machine that runs', async () => {
    const host = await TestHost.withRunningVm();
    wish(host, 2, { ...spec, network: { ...spec.network, ipAddress: '10.80.0.99' } });
    await host.run(1_000);
    expect(recordOf(host)).toMatchObject({ spec, wishedSpec: null });
    expect(host.link.latest(vmId)).toMatchObject({ generation: 2, reason: 'COMMAND_REFUSED' });
  });

  it('survives the executor, also when its host goes down before it is carried out', async () => {
    const host = await TestHost.withRunningVm();
    host.host.disconnect();
    wish(host, 2, { ...spec, userData: '#!/bin/sh' });
    await host.run(1_000);
    await host.restartExecutor();
    host.host.reconnect();
    host.host.restart();
    host.launch(testTask(1, { generation: 2, spec: { ...spec, userData: '#!/bin/sh' } }), 2);
    await host.run(20_000);
    expect(recordOf(host)).toMatchObject({ spec: { userData: '#!/bin/sh' }, wishedSpec: null });
    expect(host.link.latest(vmId)).toMatchObject({ state: 'running', generation: 2 });
  });

  it('that this host can not carry out leaves the machine as it is, and says why', async () => {
    const host = await TestHost.withRunningVm();
    wish(host, 2, { ...spec, volumes: [{ ...TEST_VOLUME, kind: 'directory' }] });
    await host.run(1_000);
    expect(recordOf(host)).toMatchObject({ spec, wishedSpec: null });
    expect(host.link.latest(vmId)).toMatchObject({
      state: 'running',
      generation: 2,
      reason: 'CANNOT_ATTACH',
    });
  });

  it('is not carried out when a newer one takes it back', async () => {
    const host = await TestHost.withRunningVm();
    host.host.disconnect();
    wish(host, 2, { ...spec, volumes: [TEST_VOLUME] });
    wish(host, 3, spec);
    host.host.reconnect();
    await host.run(1_000);
    expect(recordOf(host)).toMatchObject({ spec, wishedSpec: null });
    expect(host.link.latest(vmId)).toMatchObject({ generation: 3, reason: null });
  });
});
