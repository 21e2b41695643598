import { isDeepStrictEqual } from 'node:util';
import type { SecurityRule, Vm } from '@factory/contracts';
import { sleep, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { ROUGH, Run } from './scenario.ts';

const COUNT = 20;
const STOPPED = 4;
const SSH: SecurityRule = {
  direction: 'in',
  protocol: 'tcp',
  ports: [22, 22],
  action: 'accept',
};
const SILENT: SecurityRule = { direction: 'out', protocol: 'any', action: 'drop' };

describe.each([10, 120, 1_000])('security rules that change, a kill %d ms after', (afterMs) => {
  it('reach every machine that runs, and start none', async () => {
    const run = new Run({ seed: afterMs, agents: 3, faults: ROUGH });
    await run.play(async () => {
      const { id } = await run.createBatch('ruled', COUNT);
      const vms = await run.reach(id, { running: COUNT });
      const off = vms.slice(0, STOPPED).map((vm) => vm.id);
      await run.wishAll(off, 'stop');
      const states = { running: COUNT - STOPPED, stopped: STOPPED };
      await run.reach(id, states);

      await run.factory.user.changeBatch(id, { securityRules: [SSH] });
      await sleep(run.clock, afterMs);
      run.factory.killExecutors();
      await ruled(run, vms.slice(STOPPED), [SSH]);
      expect(await run.reach(id, states)).toHaveLength(COUNT);

      await run.wishAll(off, 'start');
      await run.reach(id, { running: COUNT });
      await ruled(run, vms, [SSH]);

      await run.factory.user.changeBatch(id, { securityRules: [SILENT, SSH] });
      await sleep(run.clock, afterMs);
      run.factory.killScheduler();
      await sleep(run.clock, 3_000);
      await run.factory.startScheduler();
      await ruled(run, vms, [SILENT, SSH]);
      const boots = vms.map((vm) => bootsOf(run, vm));
      expect(boots).toEqual(vms.map((vm) => (off.includes(vm.id) ? 2 : 1)));
      await run.deleteBatch(id, COUNT);
    });
  });
});

/** Waits until the cards of all machines have these rules. */
async function ruled(
  { clock, factory }: Run,
  vms: readonly Vm[],
  rules: readonly SecurityRule[],
): Promise<void> {
  const hasRules = ({ id: vmId, subnetId, macAddress }: Vm): boolean =>
    factory.hosts.some(({ machine }) => {
      if (subnetId === undefined || macAddress === null) return false;
      const found = machine.network.rulesOf({ vmId, subnetId, macAddress });
      return isDeepStrictEqual(found, rules);
    });
  const areRuled = () => (vms.every(hasRules) ? true : undefined);
  await waitFor(clock, 'the rules to be everywhere', 300_000, areRuled, 500);
}

function bootsOf({ factory }: Run, { id }: Vm): number {
  return factory.hosts.reduce((sum, host) => sum + host.bootsOf(id), 0);
}
