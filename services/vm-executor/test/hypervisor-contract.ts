import type { VmId } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
import type { DomainPlan, Hypervisor, HypervisorEvent } from '../src/hypervisor/port.ts';

/** A hypervisor under test, with the files that its domains need, and a hand in the world. */
export interface HypervisorHarness {
  readonly hypervisor: Hypervisor;
  /** The same host, seen by an executor of another agent; its domains are not ours. */
  readonly stranger: Hypervisor;
  /** Of 0 to 4; the tap of 4 does not exist. */
  plan(number: number): DomainPlan;
  /** A disk's file beside those. */
  readonly volumePath: string;
  /** Ends the process that runs the guest. */
  kill(vmId: VmId): Promise<void>;
  close(): Promise<void>;
}

const EVENT_TIMEOUT_MS = 10_000;

/** What every adapter of the port does alike. */
export function describeHypervisor(name: string, open: () => Promise<HypervisorHarness>): void {
  describe(`hypervisor: ${name}`, () => {
    let harness: HypervisorHarness;
    let hypervisor: Hypervisor;
    const events: HypervisorEvent[] = [];

    beforeAll(async () => {
      harness = await open();
      hypervisor = harness.hypervisor;
      hypervisor.start((event) => events.push(event));
      harness.stranger.start(() => undefined);
      await eventually('connected', () => events.some(({ kind }) => kind === 'connected'));
    }, 30_000);

    afterAll(async () => {
      await harness.close();
    }, 60_000);

    const eventually = (what: string, condition: () => boolean) =>
      waitFor(systemClock, what, EVENT_TIMEOUT_MS, () => condition() || undefined);

    async function expectEvent(vmId: VmId, act: () => Promise<void>): Promise<void> {
      events.length = 0;
      await act();
      const isOfVm = (event: HypervisorEvent) =>
        event.kind === 'domainChanged' && event.vmId === vmId;
      await eventually(`an event of ${vmId}`, () => events.some(isOfVm));
    }

    async function powerOf(vmId: VmId) {
      return (await hypervisor.findDomain(vmId))?.power;
    }

    it('knows no domain that was never defined', async () => {
      expect(await hypervisor.findDomain(harness.plan(0).vmId)).toBeUndefined();
    });

    it('refuses a domain that can not be, and says what to change', async () => {
      const plan: DomainPlan = { ...harness.plan(1), hardware: { gpus: 1 } };
      await expect(hypervisor.define(plan)).rejects.toMatchObject({
        code: 'FACTORY_ERR_IMPOSSIBLE_DOMAIN',
        message: expect.stringContaining('ask for fewer gpus'),
      });
      expect(await hypervisor.findDomain(plan.vmId)).toBeUndefined();
    });

    it('takes a domain through its life, each step also twice', async () => {
      const plan = harness.plan(1);
      const { vmId } = plan;
      await hypervisor.define(plan);
      await hypervisor.define({ ...plan, generation: 2 });
      expect(await powerOf(vmId)).toEqual({ kind: 'off', cause: 'unknown' });

      await expectEvent(vmId, () => hypervisor.powerOn(vmId));
      await hypervisor.powerOn(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'on' });
      await hypervisor.pressPowerButton(vmId);
      await hypervisor.reset(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'on' });

      await expectEvent(vmId, () => hypervisor.powerOff(vmId));
      await hypervisor.powerOff(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'off', cause: 'destroyed' });
      await hypervisor.pressPowerButton(vmId);
      await hypervisor.reset(vmId);

      await hypervisor.undefine(vmId);
      await hypervisor.undefine(vmId);
      expect(await powerOf(vmId)).toBeUndefined();
    }, 60_000);

    it('powers a domain on again from its definition', async () => {
      const { vmId } = harness.plan(2);
      await hypervisor.define(harness.plan(2));
      await hypervisor.powerOn(vmId);
      await hypervisor.powerOff(vmId);
      await hypervisor.powerOn(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'on' });
    }, 60_000);

    it('keeps the memory of a guest that is suspended, until it goes on or that is forgotten', async () => {
      const { vmId } = harness.plan(2);
      const kept = { kind: 'off', cause: 'unknown', isSaved: true };
      await hypervisor.suspend(vmId);
      await hypervisor.suspend(vmId);
      expect(await powerOf(vmId)).toEqual(kept);
      await hypervisor.powerOn(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'on' });
      await hypervisor.suspend(vmId);
      await hypervisor.forgetMemory(vmId);
      await hypervisor.forgetMemory(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'off', cause: 'unknown' });
      await hypervisor.powerOn(vmId);
      expect(await powerOf(vmId)).toEqual({ kind: 'on' });
    }, 60_000);

    it('is given a disk while it runs, also twice; a folder only if it was started with one', async () => {
      const { vmId } = harness.plan(2);
      const path = harness.volumePath;
      const disk = {
        path,
        source: 'file',
        format: 'raw',
        serial: 'data',
        readOnly: false,
      } as const;
      await hypervisor.plugVolume(vmId, disk);
      await hypervisor.plugVolume(vmId, disk);
      expect(await hypervisor.pluggedPaths(vmId)).toContain(path);
      const folder = { path: '/', tag: 'root', transport: 'virtiofs', readOnly: false } as const;
      await expect(hypervisor.plugVolume(vmId, folder)).rejects.toMatchObject({
        reason: 'CANNOT_ATTACH',
        message: expect.stringContaining('Stop the machine first'),
      });
      // Its firmware does not hear it.
      await hypervisor.askToUnplug(vmId, path);
      await hypervisor.askToUnplug(vmId, path);
      await hypervisor.askToUnplug(vmId, '/nowhere');
      await hypervisor.awaitDevices(vmId);
      await hypervisor.powerOff(vmId);
      expect([...(await hypervisor.pluggedPaths(vmId))]).toEqual([]);
      await hypervisor.askToUnplug(vmId, path);
      await hypervisor.awaitDevices(vmId);
      await expect(hypervisor.plugVolume(vmId, disk)).rejects.toMatchObject({ isTransient: true });
      await hypervisor.powerOn(vmId);
      expect(await hypervisor.pluggedPaths(vmId)).not.toContain(path);
    }, 60_000);

    it('lists the domains of its owner, and not those of others', async () => {
      const stranger = harness.plan(3);
      await harness.stranger.define(stranger);
      const ours = (await hypervisor.listDomains()).map(({ vmId }) => vmId);
      expect(ours).toEqual([harness.plan(2).vmId]);
    });

    it('tells a killed guest from one that was powered off', async () => {
      const { vmId } = harness.plan(2);
      await expectEvent(vmId, () => harness.kill(vmId));
      await eventually('the domain is off', () => true);
      const power = await waitFor(systemClock, 'off', EVENT_TIMEOUT_MS, async () => {
        const now = await powerOf(vmId);
        return now?.kind === 'off' ? now : undefined;
      });
      expect(power).toEqual({ kind: 'off', cause: 'killed' });
    }, 60_000);

    it('does not start a domain whose tap is not there', async () => {
      const plan = harness.plan(4);
      await hypervisor.define(plan);
      const failure = await hypervisor.powerOn(plan.vmId).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(VmFailure);
      expect(failure).toMatchObject({ reason: 'NETWORK_ERROR', isTransient: true });
      expect(await powerOf(plan.vmId)).toMatchObject({ kind: 'off' });
    }, 60_000);
  });
}
