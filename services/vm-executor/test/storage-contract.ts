import type { VmId } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VmFailure } from '../src/failures.ts';
import type { Seed, VmStorage } from '../src/storage/port.ts';
import { testLease, testTask, testVmId } from '../src/testing.ts';
import { newRecord } from '../src/vm/record.ts';

/** A storage under test with an image `micro`, and a hand in the world. */
export interface StorageHarness {
  readonly storage: VmStorage;
  /** The guest writes to its serial port. */
  guestWrites(vmId: VmId, text: string): Promise<void>;
  close(): Promise<void>;
}

const vmId = testVmId(1);
const seed: Seed = { instanceId: vmId, hostname: 'node-1', sshPublicKeys: [], userData: '' };

/** What every adapter of the port does alike. */
export function describeStorage(name: string, open: () => Promise<StorageHarness>): void {
  describe(`storage: ${name}`, () => {
    let harness: StorageHarness;
    let storage: VmStorage;
    beforeEach(async () => {
      harness = await open();
      storage = harness.storage;
      await storage.prepare();
      await storage.prepare();
    });
    afterEach(() => harness.close());

    const record = newRecord(testTask(1), 1_000);

    it.each([true, false])(
      'reads a record back as it was written (durable: %s)',
      async (durable) => {
        expect(await storage.readVm(vmId)).toEqual({ record: undefined, holdsData: false });
        await storage.writeRecord(record, { durable });
        await storage.writeRecord({ ...record, seq: 2_000 }, { durable });
        expect(await storage.readVm(vmId)).toEqual({
          record: { ...record, seq: 2_000 },
          holdsData: false,
        });
        expect(await storage.listVms()).toEqual([vmId]);
      },
    );

    it('keeps leases', async () => {
      await storage.writeLease(testLease(1));
      await storage.writeLease(testLease(1));
      expect(await storage.listLeases()).toEqual([vmId]);
      await storage.removeLease(vmId);
      await storage.removeLease(vmId);
      expect(await storage.listLeases()).toEqual([]);
    });

    it('makes a disk once', async () => {
      await storage.writeRecord(record, { durable: false });
      expect(await storage.hasDisk(vmId)).toBe(false);
      await storage.createDisk(vmId, { name: 'micro' }, 1);
      await storage.createDisk(vmId, { name: 'micro' }, 1);
      expect(await storage.hasDisk(vmId)).toBe(true);
      expect(await storage.readVm(vmId)).toMatchObject({ holdsData: true });
    });

    it('sets a record aside, and keeps the disk', async () => {
      await storage.writeRecord(record, { durable: true });
      await storage.createDisk(vmId, { name: 'micro' }, 1);
      await storage.setRecordAside(vmId);
      await storage.setRecordAside(vmId);
      expect(await storage.readVm(vmId)).toEqual({ record: undefined, holdsData: true });
      expect(await storage.listVms()).toEqual([vmId]);
    });

    it('says which image is missing', async () => {
      await storage.writeRecord(record, { durable: false });
      for (const attempt of [
        () => storage.findImage({ name: 'none' }),
        () => storage.createDisk(vmId, { name: 'none' }, 1),
      ]) {
        const failure = await attempt().catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(VmFailure);
        expect(failure).toMatchObject({
          reason: 'IMAGE_MISSING',
          message: expect.stringContaining('none'),
        });
      }
      expect(await storage.findImage({ name: 'micro' })).toMatchObject({ readyMarker: 'guest up' });
    });

    it('leaves nothing of a VM that was removed', async () => {
      await storage.writeRecord(record, { durable: true });
      await storage.writeLease(testLease(1));
      await storage.createDisk(vmId, { name: 'micro' }, 1);
      await storage.writeSeed(vmId, seed);
      await storage.writeSeed(vmId, seed);
      await harness.guestWrites(vmId, 'hello');
      await storage.removeVm(vmId);
      await storage.removeVm(vmId);
      expect(await storage.listVms()).toEqual([]);
      expect(await storage.readVm(vmId)).toEqual({ record: undefined, holdsData: false });
      expect(await storage.hasDisk(vmId)).toBe(false);
      expect(await storage.consoleSize(vmId)).toBe(0);
    });

    it('reads a console log from any byte on, and from the start when it was cut', async () => {
      expect(await storage.consoleSize(vmId)).toBe(0);
      expect(await storage.readConsole(vmId, 0, 100)).toEqual({ text: '', nextByte: 0 });
      await harness.guestWrites(vmId, 'hello world');
      expect(await storage.consoleSize(vmId)).toBe(11);
      expect(await storage.readConsole(vmId, 6, 100)).toEqual({ text: 'world', nextByte: 11 });
      expect(await storage.readConsole(vmId, 0, 5)).toEqual({ text: 'hello', nextByte: 5 });
      expect(await storage.readConsole(vmId, 500, 5)).toEqual({ text: 'hello', nextByte: 5 });
    });

    it('tells of what is written to a console log, until told not to', async () => {
      let calls = 0;
      const unwatch = storage.watchConsole(vmId, () => {
        calls += 1;
      });
      await harness.guestWrites(vmId, 'hello');
      await waitFor(systemClock, 'a call', 5_000, () => calls > 0 || undefined);
      unwatch();
      await waitFor(systemClock, 'calls under way', 5_000, () => true);
      const before = calls;
      await harness.guestWrites(testVmId(2), 'somebody else');
      await harness.guestWrites(vmId, 'more');
      expect(await storage.consoleSize(vmId)).toBe(9);
      expect(calls).toBe(before);
    });
  });
}
