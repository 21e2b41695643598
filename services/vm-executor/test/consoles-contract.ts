import { CONSOLE_ENDS } from '@factory/contracts';
import { NORMAL_END, sleep, systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConsolePort } from '../src/console/port.ts';
import type { DomainPlan, Hypervisor } from '../src/hypervisor/port.ts';
import type { StatsPort } from '../src/metrics/port.ts';

/** The consoles and statistics of a host, with its hypervisor. */
export interface ConsolesHarness {
  readonly hypervisor: Hypervisor;
  readonly consoles: ConsolePort;
  readonly stats: StatsPort;
  /** With a screen. */
  readonly plan: DomainPlan;
  close(): Promise<void>;
}

/** What every host's consoles and statistics do alike. */
export function describeConsoles(name: string, open: () => Promise<ConsolesHarness>): void {
  describe(`consoles and statistics: ${name}`, () => {
    let harness: ConsolesHarness;
    beforeAll(async () => {
      harness = await open();
      harness.hypervisor.start(() => undefined);
      await harness.hypervisor.define(harness.plan);
    }, 60_000);
    afterAll(() => harness.close(), 60_000);

    const usedBy = async () => {
      const all = await harness.stats.collect();
      return all.find(({ vmId }) => vmId === harness.plan.vmId);
    };

    it('there are none of a guest that is off', async () => {
      const { consoles, hypervisor, plan } = harness;
      for (const kind of ['serial', 'vnc'] as const) {
        await expect(consoles.open(plan.vmId, kind)).rejects.toMatchObject({
          code: 'FACTORY_ERR_VM',
        });
      }
      expect(await usedBy()).toBeUndefined();
      expect(await hypervisor.pingGuest(plan.vmId)).toBe(false);
    });

    it('the screen of one that is on speaks RFB, to several at a time', async () => {
      const { consoles, hypervisor, plan } = harness;
      await hypervisor.powerOn(plan.vmId);
      const two = await Promise.all([1, 2].map(() => consoles.open(plan.vmId, 'vnc')));
      for (const screen of two) {
        for await (const bytes of screen.received) {
          expect(Buffer.from(bytes).toString('latin1')).toBe('RFB 003.008\n');
          break;
        }
        screen.close(NORMAL_END);
        expect(await screen.ended).toEqual(NORMAL_END);
      }
    });

    it('its use grows', async () => {
      const before = await waitFor(systemClock, 'its statistics', 10_000, usedBy);
      expect(before.memoryMiB).toBe(harness.plan.memoryMiB);
      await waitFor(systemClock, 'its use to grow', 10_000, async () => {
        await sleep(systemClock, 100);
        return ((await usedBy())?.cpuTimeNs ?? 0) > before.cpuTimeNs || undefined;
      });
    });

    it('its serial console can be opened again after it was left', async () => {
      const { consoles, plan } = harness;
      for (let time = 0; time < 2; time += 1) {
        const console = await waitFor(systemClock, 'the serial console', 10_000, () =>
          consoles.open(plan.vmId, 'serial').catch(() => undefined),
        );
        await console.send(Buffer.from('x'));
        console.close(NORMAL_END);
        expect(await console.ended).toEqual(NORMAL_END);
      }
    });

    it('all end when it goes off', async () => {
      const { consoles, hypervisor, plan } = harness;
      const screen = await consoles.open(plan.vmId, 'vnc');
      const serial = await waitFor(systemClock, 'the serial console', 10_000, () =>
        consoles.open(plan.vmId, 'serial').catch(() => undefined),
      );
      const readings = [screen, serial].map(async (each) => {
        for await (const _ of each.received);
        return each.ended;
      });
      await hypervisor.powerOff(plan.vmId);
      expect(await Promise.all(readings)).toEqual([
        CONSOLE_ENDS.machineOff,
        CONSOLE_ENDS.machineOff,
      ]);
    });
  });
}
