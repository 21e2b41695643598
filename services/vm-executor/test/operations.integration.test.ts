import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { OperationRequestSchema } from '@factory/contracts';
import {
  createStorageHelper,
  type StorageHelper,
  silentLogger,
  systemClock,
} from '@factory/runtime';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createBell } from '../src/bell.ts';
import { noHardware } from '../src/hardware/none.ts';
import { qemuDiskTools } from '../src/host/qemu-img.ts';
import type { Hypervisor } from '../src/hypervisor/port.ts';
import { createImagePublisher } from '../src/images/publisher.ts';
import { handlingOf } from '../src/operations/handling.ts';
import { MAKE_IMAGE, MAKE_IMAGE_UNDONE } from '../src/operations/make-image.ts';
import { listSnapshots } from '../src/operations/snapshots.ts';
import { createFileStorage } from '../src/storage/files.ts';
import type { VmStorage } from '../src/storage/port.ts';
import { testOperationId, testTask } from '../src/testing.ts';
import { createTurns } from '../src/turns.ts';
import { observe } from '../src/vm/observe.ts';
import { noFaults, runProcedure } from '../src/vm/procedure.ts';
import type { VmSteps } from '../src/vm/procedures.ts';
import { newRecord, type VmRecord } from '../src/vm/record.ts';
import { noVolumes } from '../src/volumes/none.ts';
import { type LibvirtTestHost, openLibvirtHost } from './libvirt-host.ts';

/** One-shot operations on a real QEMU; its guest never gets further than its BIOS. */
const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
const task = testTask(1);
const { vmId } = task;

let host: LibvirtTestHost;
let hypervisor: Hypervisor;
let helper: StorageHelper;
let storage: VmStorage;
let steps: VmSteps;
let record: VmRecord;
const imageFolder = () => join(host.folder, 'images');
const diskPath = () => storage.paths(vmId).diskPath;

beforeAll(async () => {
  host = await openLibvirtHost('test-operations');
  hypervisor = host.hypervisor('host-a');
  hypervisor.start(() => undefined);
  helper = createStorageHelper({ clock: systemClock, logger: silentLogger });
  const image = { name: 'micro', virtualSizeBytes: 1, readyMarker: undefined, minMemoryMiB: 96 };
  storage = createFileStorage({
    hostDir: host.folder,
    logger: silentLogger,
    tools: qemuDiskTools,
    images: {
      describe: async () => image,
      acquire: async () => {
        throw new Error('the disk is made by hand');
      },
    },
  });
  await storage.prepare();
  await mkdir(imageFolder());
}, TIMEOUT_MS);

afterAll(async () => {
  await hypervisor?.close();
  helper?.close();
  await host?.close();
}, TIMEOUT_MS);

/** A disk of 4 MiB on a base; the base has 0x33 at 1 MiB, the disk 0x11 at its start. */
beforeEach(async () => {
  await hypervisor.powerOff(vmId);
  await hypervisor.undefine(vmId);
  await storage.removeVm(vmId);
  const base = join(host.folder, 'base.qcow2');
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', base, '4M']);
  await write(base, 0x33, '1M');
  await mkdir(dirname(diskPath()), { recursive: true });
  await run('chmod', ['711', dirname(diskPath())]);
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', diskPath()]);
  await write(diskPath(), 0x11, '0');
  await writeFile(storage.paths(vmId).seedPath, Buffer.alloc(512 * 1024));
  record = { ...newRecord(task, systemClock.nowMs()), isMade: true, state: 'stopped' };
  await hypervisor.define({ ...host.plan(1), ...storage.paths(vmId), hasScreen: true });
  steps = {
    clock: systemClock,
    storage,
    hypervisor,
    network: host.network,
    externals: { choose: async () => undefined },
    volumes: noVolumes,
    hardware: noHardware,
    images: createImagePublisher({
      ...{ clock: systemClock, helper, folder: imageFolder(), sizeBytesMax: 1 << 30 },
    }),
    parts: () => ({}),
    provide: () => undefined,
    tell: () => undefined,
    leaveTurn: () => undefined,
    powerOns: createTurns({ max: 1, longestMs: 1_000, clock: systemClock }),
    powerOff: { graceMs: 1_000, pressAgainMs: 500 },
    bell: createBell(systemClock),
    record: () => record,
    observe: (change) => {
      record = observe(record, change, systemClock.nowMs());
    },
    amend: (change) => {
      record = change(record);
    },
    save: () => storage.writeRecord(record, { durable: true }),
  };
}, TIMEOUT_MS);

async function write(path: string, byte: number, at: string): Promise<void> {
  await run('qemu-io', ['-c', `write -P ${byte} ${at} 64k`, path]);
}

/** @throws when the first 64 KiB from there are not all this byte. */
async function expectByte(path: string, byte: number, at: string): Promise<void> {
  const { stdout } = await run('qemu-io', ['-r', '-c', `read -P ${byte} ${at} 64k`, path]);
  expect(stdout).not.toContain('verification failed');
}

let count = 0;
/** Takes an operation's steps, twice: the second time changes nothing. */
async function operate(order: object): Promise<VmRecord> {
  count += 1;
  const base = { operationId: testOperationId(count), vmId };
  const request = Value.Parse(OperationRequestSchema, { ...base, ...order });
  const handling = handlingOf(request);
  if (handling.how !== 'procedure') throw new Error('no steps');
  const wasOn = record.state === 'running';
  record = { ...record, operation: { request, wasOn, failure: null, isQuiesced: false } };
  const { operation } = record;
  if (operation === null) throw new Error('just set');
  const { signal } = new AbortController();
  for (let times = 0; times < 2; times += 1) {
    await runProcedure(handling.procedure(operation), steps, { signal, faults: noFaults });
  }
  return record;
}

async function powerOn(): Promise<void> {
  await hypervisor.powerOn(vmId);
  record = { ...record, state: 'running' };
}

async function powerOff(): Promise<void> {
  await hypervisor.powerOff(vmId);
  record = { ...record, state: 'stopped' };
}

/** The one version of an image that is there; nothing half-made beside it. */
async function published(name: string): Promise<string> {
  const files = await readdir(join(imageFolder(), name));
  const [file, ...others] = files.filter((each) => each.endsWith('.qcow2'));
  expect({ others, partial: files.filter((each) => each.startsWith('.')) }).toEqual({
    others: [],
    partial: [],
  });
  return join(imageFolder(), name, file ?? '');
}

describe('a real machine', { timeout: TIMEOUT_MS }, () => {
  it('shows its screen, also after a reset', async () => {
    await powerOn();
    await operate({ kind: 'reset' });
    const handling = handlingOf({ operationId: testOperationId(99), vmId, kind: 'screenshot' });
    if (handling.how !== 'read') throw new Error('a screenshot is read');
    const { data } = await handling.run({ hypervisor, storage });
    if (data?.kind !== 'screenshot') throw new Error('no screenshot');
    expect(Buffer.from(data.png, 'base64').subarray(1, 4).toString()).toBe('PNG');
    expect(data.widthPx).toBeGreaterThanOrEqual(320);
  });

  it('goes back to a snapshot that was made while it ran', async () => {
    await powerOn();
    await operate({ kind: 'snapshot', params: { name: 'live' } });
    expect(await listSnapshots(vmId, storage)).toMatchObject([{ name: 'live' }]);
    await powerOff();
    await operate({ kind: 'snapshot', params: { name: 'off' } });
    await write(diskPath(), 0x22, '0');
    await operate({ kind: 'revert', params: { name: 'live' } });
    await expectByte(diskPath(), 0x11, '0');
    await expectByte(diskPath(), 0x33, '1M');
    await powerOn();
    await operate({ kind: 'deleteSnapshot', params: { name: 'live' } });
    await powerOff();
    await operate({ kind: 'deleteSnapshot', params: { name: 'off' } });
    expect(await listSnapshots(vmId, storage)).toEqual([]);
    await run('qemu-img', ['check', diskPath()]);
  });

  it.each(['on', 'off'])('becomes an image that stands alone, while it is %s', async (power) => {
    if (power === 'on') await powerOn();
    const { operation } = await operate({ kind: 'makeImage', params: { name: `made-${power}` } });
    const path = await published(`made-${power}`);
    expect(path).toContain(
      String(operation?.made && 'version' in operation.made && operation.made.version),
    );
    const manifest = JSON.parse(await readFile(path.replace('.qcow2', '.json'), 'utf8'));
    const { projectId } = record;
    expect(manifest).toMatchObject({ minMemoryMiB: 96, madeOf: { projectId, vmId } });
    const { stdout } = await run('qemu-img', ['info', '--output=json', path]);
    expect(JSON.parse(stdout)).not.toHaveProperty('backing-filename');
    await expectByte(path, 0x11, '0');
    await expectByte(path, 0x33, '1M');
    expect((await readdir(dirname(diskPath()))).sort()).toEqual([
      'disk.qcow2',
      'record.json',
      'seed.iso',
    ]);
    if (power === 'on') expect((await hypervisor.findDomain(vmId))?.power.kind).toBe('on');
  });

  it('ends the copy of its disk when the making of an image is taken back, and runs on', async () => {
    await powerOn();
    const params = { name: 'never' };
    const request = { operationId: testOperationId(50), vmId, kind: 'makeImage', params } as const;
    record = { ...record, operation: { request, wasOn: true, failure: null, isQuiesced: false } };
    const running = { signal: new AbortController().signal, faults: noFaults };
    const copied = MAKE_IMAGE.steps.findIndex(({ name }) => name === 'thaw');
    await runProcedure({ ...MAKE_IMAGE, steps: MAKE_IMAGE.steps.slice(0, copied) }, steps, running);
    expect((await hypervisor.diskCopy(vmId)).kind).not.toBe('none');
    await runProcedure(MAKE_IMAGE_UNDONE, steps, running);
    expect((await hypervisor.diskCopy(vmId)).kind).toBe('none');
    expect((await readdir(dirname(diskPath()))).sort()).toEqual([
      'disk.qcow2',
      'record.json',
      'seed.iso',
    ]);
    expect((await hypervisor.findDomain(vmId))?.power.kind).toBe('on');
  });
});
