import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { MESSAGE_TYPE, PROGRAM } from '../src/frame.ts';
import { connectLibvirt, type DomainEventKind, type Libvirt } from '../src/index.ts';
import { type FakeLibvirtd, startFakeLibvirtd } from './fake-libvirtd.ts';

/**
 * What libvirt's own client, virsh 9.0, sent for the same calls, and what libvirtd 9.0 with QEMU
 * answered and told; only the domain's number is -1 (ffffffff) in ours.
 */
const DOMAIN = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001' };
const NAMED = '000000036f6e6500' + '00000000000040008000000000000001';
const ONE = `${NAMED}ffffffff`;
const VDA = '0000000376646100';
const XML = '000000043c612f3e';
const ROOT = '00000004726f6f74';
const SNAPSHOT = { name: 's1', domain: DOMAIN };
const S1 = '0000000273310000';
const JOB_PARAMS =
  '00000006000000096f7065726174696f6e00000000000001000000090000000c74696d655f656c61707365640000' +
  '000400000000000000290000000a6469736b5f746f74616c00000000000400000000009000000000000e6469736b' +
  '5f70726f63657373656400000000000400000000009000000000000e6469736b5f72656d61696e696e6700000000' +
  '000400000000000000000000000773756363657373000000000600000001';
const JOB = {
  operation: 'backup',
  success: true,
  timeElapsedMs: 41n,
  diskTotalBytes: 9_437_184n,
  diskProcessedBytes: 9_437_184n,
  diskRemainingBytes: 0n,
  memoryTotalBytes: undefined,
};

interface Golden {
  readonly call: (libvirt: Libvirt) => Promise<unknown>;
  readonly procedure: number;
  readonly sent: string;
  readonly program?: number;
  readonly answer?: string;
  readonly gives?: unknown;
}

const CALLS: Readonly<Record<string, Golden>> = {
  'guest agent command': {
    call: ({ guestAgent }) => guestAgent.ping(DOMAIN, { timeoutMs: 5_000 }),
    program: PROGRAM.qemu,
    procedure: 3,
    sent: `${ONE}000000187b2265786563757465223a2267756573742d70696e67227d0000000300000000`,
    answer: `00000001${'0000000d'}${Buffer.from('{"return":{}}\0\0\0').toString('hex')}`,
  },
  'monitor command': {
    call: ({ monitor }) => monitor.command(DOMAIN, { execute: 'query-name' }),
    program: PROGRAM.qemu,
    procedure: 1,
    sent: `${ONE}000000187b2265786563757465223a2271756572792d6e616d65227d00000000`,
    answer: `0000000d${Buffer.from('{"return":{}}\0\0\0').toString('hex')}`,
    gives: {},
  },
  'guest agent time-out': {
    call: ({ guestAgent }) => guestAgent.fsThaw(DOMAIN, { timeoutMs: 5_000 }),
    procedure: 420,
    sent: `${ONE}0000000300000000`,
  },
  freeze: {
    call: ({ guestAgent }) => guestAgent.fsFreeze(DOMAIN, { mountPoints: ['/a', '/b'] }),
    procedure: 335,
    sent: `${ONE}00000002000000022f610000000000022f62000000000000`,
    answer: '00000002',
    gives: 2,
  },
  thaw: {
    call: ({ guestAgent }) => guestAgent.fsThaw(DOMAIN),
    procedure: 336,
    sent: `${ONE}0000000000000000`,
    answer: '00000002',
    gives: 2,
  },
  'set user password': {
    call: ({ guestAgent }) =>
      guestAgent.setUserPassword(DOMAIN, 'root', 'secret', { encrypted: true }),
    procedure: 357,
    sent: `${ONE}00000001${ROOT}0000000100000006736563726574000000000001`,
  },
  'guest info': {
    call: ({ guestAgent }) => guestAgent.info(DOMAIN, { parts: ['os', 'hostname'] }),
    procedure: 418,
    sent: `${ONE}0000000a00000000`,
    answer: '00000001' + '00000008686f73746e616d65' + '00000007' + '00000003676f6f00',
    gives: { hostname: 'goo', os: undefined, timezone: undefined, filesystems: [], interfaces: [] },
  },
  'get SSH keys': {
    call: ({ guestAgent }) => guestAgent.getSshKeys(DOMAIN, 'root'),
    procedure: 424,
    sent: `${ONE}${ROOT}00000000`,
    answer: `00000001${XML}`,
    gives: ['<a/>'],
  },
  'add SSH keys': {
    call: ({ guestAgent }) => guestAgent.setSshKeys(DOMAIN, 'root', ['<a/>'], { mode: 'append' }),
    procedure: 425,
    sent: `${ONE}${ROOT}00000001${XML}00000001`,
  },
  'replace SSH keys': {
    call: ({ guestAgent }) => guestAgent.setSshKeys(DOMAIN, 'root', []),
    procedure: 425,
    sent: `${ONE}${ROOT}0000000000000000`,
  },
  'attach device': {
    call: ({ devices }) => devices.attach(DOMAIN, '<a/>', { affect: 'live-and-config' }),
    procedure: 160,
    sent: `${ONE}${XML}00000003`,
  },
  'detach device': {
    call: ({ devices }) => devices.detach(DOMAIN, '<a/>', { affect: 'config' }),
    procedure: 161,
    sent: `${ONE}${XML}00000002`,
  },
  'detach device by alias': {
    call: ({ devices }) => devices.detachAlias(DOMAIN, 'ua-second', { affect: 'live' }),
    procedure: 392,
    sent: `${ONE}0000000975612d7365636f6e6400000000000001`,
  },
  'update device': {
    call: ({ devices }) => devices.update(DOMAIN, '<a/>', { affect: 'live', force: true }),
    procedure: 174,
    sent: `${ONE}${XML}00000005`,
  },
  'create snapshot': {
    call: ({ snapshots }) =>
      snapshots.create(DOMAIN, '<a/>', { diskOnly: true, atomic: true, quiesce: true }),
    procedure: 185,
    sent: `${ONE}${XML}000000d0`,
    answer: `${S1}${NAMED}00000001`,
    gives: SNAPSHOT,
  },
  'list snapshots': {
    call: ({ snapshots }) => snapshots.list(DOMAIN),
    procedure: 274,
    sent: `${ONE}0000000100000400`,
    answer: `00000001${S1}${NAMED}0000000100000001`,
    gives: [SNAPSHOT],
  },
  'look up snapshot': {
    call: ({ snapshots }) => snapshots.lookup(DOMAIN, 's1'),
    procedure: 189,
    sent: `${ONE}${S1}00000000`,
    answer: `${S1}${NAMED}00000001`,
    gives: SNAPSHOT,
  },
  'snapshot XML': {
    call: ({ snapshots }) => snapshots.getXml(SNAPSHOT),
    procedure: 186,
    sent: `${S1}${ONE}00000000`,
    answer: XML,
    gives: '<a/>',
  },
  'revert to snapshot': {
    call: ({ snapshots }) => snapshots.revert(SNAPSHOT, { afterwards: 'running' }),
    procedure: 192,
    sent: `${S1}${ONE}00000001`,
  },
  'delete snapshot': {
    call: ({ snapshots }) => snapshots.delete(SNAPSHOT),
    procedure: 193,
    sent: `${S1}${ONE}00000000`,
  },
  'block copy': {
    call: ({ blockJobs }) =>
      blockJobs.copy(DOMAIN, 'vda', '<a/>', {
        shallow: true,
        reuseExternal: true,
        bandwidthBytesPerS: 1_048_576n,
      }),
    procedure: 345,
    sent: `${ONE}${VDA}${XML}000000010000000962616e64776964746800000000000004000000000010000000000007`,
  },
  'block commit': {
    call: ({ blockJobs }) =>
      blockJobs.commit(DOMAIN, 'vda', {
        shallow: true,
        active: true,
        bandwidthBytesPerS: 2_000_000n,
      }),
    procedure: 290,
    sent: `${ONE}${VDA}000000000000000000000000001e848000000015`,
  },
  'block job info': {
    call: ({ blockJobs }) => blockJobs.info(DOMAIN, 'vda'),
    procedure: 238,
    sent: `${ONE}${VDA}00000001`,
    answer: '0000000100000002000000000010000000000000008fffff0000000000900000',
    gives: { type: 'copy', bandwidthBytesPerS: 1_048_576n, current: 9_437_183n, end: 9_437_184n },
  },
  'no block job': {
    call: ({ blockJobs }) => blockJobs.info(DOMAIN, 'vda'),
    procedure: 238,
    sent: `${ONE}${VDA}00000001`,
    answer: '0000000000000000000000000000000000000000000000000000000000000000',
    gives: undefined,
  },
  'block job speed': {
    call: ({ blockJobs }) => blockJobs.setSpeed(DOMAIN, 'vda', 1_000_000n),
    procedure: 239,
    sent: `${ONE}${VDA}00000000000f424000000001`,
  },
  'block job cancel': {
    call: ({ blockJobs }) => blockJobs.cancel(DOMAIN, 'vda'),
    procedure: 237,
    sent: `${ONE}${VDA}00000000`,
  },
  'block job pivot': {
    call: ({ blockJobs }) => blockJobs.pivot(DOMAIN, 'vda'),
    procedure: 237,
    sent: `${ONE}${VDA}00000002`,
  },
  'block resize': {
    // virsh counts in KiB (0x2400, flags 0); the layout is the same.
    call: ({ blockJobs }) => blockJobs.resize(DOMAIN, 'vda', 9_437_184n),
    procedure: 251,
    sent: `${ONE}${VDA}000000000090000000000001`,
  },
  'begin backup': {
    call: ({ jobs }) =>
      jobs.beginBackup(DOMAIN, '<a/>', { checkpointXml: '<a/>', reuseExternal: true }),
    procedure: 421,
    sent: `${ONE}${XML}00000001${XML}00000001`,
  },
  'backup XML': {
    call: ({ jobs }) => jobs.getBackupXml(DOMAIN),
    procedure: 422,
    sent: `${ONE}00000000`,
    answer: XML,
    gives: '<a/>',
  },
  'stats of the last job': {
    call: ({ jobs }) => jobs.stats(DOMAIN, { completed: true, keep: true }),
    procedure: 298,
    sent: `${ONE}00000003`,
    answer: `00000003${JOB_PARAMS}`,
    gives: { type: 'completed', ...JOB },
  },
  'stats without a job': {
    call: ({ jobs }) => jobs.stats(DOMAIN),
    procedure: 298,
    sent: `${ONE}00000000`,
    answer: '0000000000000000',
    gives: { type: 'none', operation: 'unknown', success: undefined },
  },
  'abort job': {
    call: ({ jobs }) => jobs.abort(DOMAIN),
    procedure: 164,
    sent: ONE,
  },
  'managed save': {
    call: ({ domains }) => domains.managedSave(DOMAIN, { bypassCache: true, afterwards: 'paused' }),
    procedure: 182,
    sent: `${ONE}00000005`,
  },
  'has managed save': {
    call: ({ domains }) => domains.hasManagedSave(DOMAIN),
    procedure: 183,
    sent: `${ONE}00000000`,
    answer: '00000001',
    gives: true,
  },
  'remove managed save': {
    call: ({ domains }) => domains.removeManagedSave(DOMAIN),
    procedure: 184,
    sent: `${ONE}00000000`,
  },
  'set vCPUs': {
    call: ({ domains }) => domains.setVcpus(DOMAIN, 2, { affect: 'config' }),
    procedure: 199,
    sent: `${ONE}0000000200000002`,
  },
  'set the most vCPUs': {
    call: ({ domains }) => domains.setVcpus(DOMAIN, 3, { affect: 'config', maximum: true }),
    procedure: 199,
    sent: `${ONE}0000000300000006`,
  },
  'set memory': {
    call: ({ domains }) => domains.setMemory(DOMAIN, 49_152n, { affect: 'config' }),
    procedure: 204,
    sent: `${ONE}000000000000c00000000002`,
  },
  'set the most memory': {
    call: ({ domains }) => domains.setMemory(DOMAIN, 65_536n, { affect: 'config', maximum: true }),
    procedure: 204,
    sent: `${ONE}000000000001000000000006`,
  },
  autostart: {
    call: ({ domains }) => domains.setAutostart(DOMAIN, true),
    procedure: 29,
    sent: `${ONE}00000001`,
  },
  'is autostarted': {
    call: ({ domains }) => domains.getAutostart(DOMAIN),
    procedure: 15,
    sent: ONE,
    answer: '00000001',
    gives: true,
  },
};

/** Of calls that come ahead of, or along with, the one that is looked at: time-out, thaw. */
const ANSWERS: ReadonlyMap<number, string> = new Map([
  [420, '00000000'],
  [336, '00000000'],
]);

const SUBJECT = { name: 'one', uuid: DOMAIN.uuid, id: 1 };
/** Each as callback 7. IO errors and failed removals are composed after remote_protocol.x. */
const EVENTS: Readonly<
  Record<DomainEventKind, { readonly message: string; readonly tells: unknown }>
> = {
  lifecycle: {
    message: `${NAMED}000000010000000400000000`,
    tells: { event: 'resumed', detail: 'unpaused', raw: { event: 4, detail: 0 } },
  },
  reboot: { message: `${NAMED}00000001`, tells: {} },
  ioError: {
    message:
      `${NAMED}00000001000000082f6469736b2e7163` +
      '0000000c76697274696f2d6469736b300000000100000006656e6f7370630000',
    tells: { path: '/disk.qc', alias: 'virtio-disk0', action: 'pause', reason: 'enospc' },
  },
  deviceRemoved: {
    message: `${NAMED}000000010000000975612d7365636f6e64000000`,
    tells: { alias: 'ua-second' },
  },
  deviceRemovalFailed: {
    message: `${NAMED}000000010000000975612d7365636f6e64000000`,
    tells: { alias: 'ua-second' },
  },
  blockJob: {
    message: `${NAMED}00000001${VDA}0000000400000003`,
    tells: { disk: 'vda', type: 'active-commit', status: 'ready' },
  },
  agentLifecycle: {
    message: `${NAMED}000000010000000200000001`,
    tells: { state: 'disconnected', reason: 'domain-started' },
  },
  jobCompleted: { message: `${NAMED}00000001${JOB_PARAMS}`, tells: JOB },
};
const EVENT_NUMBERS: Readonly<Record<DomainEventKind, readonly [eventId: number, number]>> = {
  lifecycle: [0, 318],
  reboot: [1, 319],
  ioError: [6, 324],
  deviceRemoved: [15, 333],
  blockJob: [16, 339],
  agentLifecycle: [18, 348],
  jobCompleted: [21, 363],
  deviceRemovalFailed: [22, 367],
};

let fake: FakeLibvirtd | undefined;
let libvirt: Libvirt | undefined;

afterEach(async () => {
  await libvirt?.close();
  await fake?.close();
  libvirt = undefined;
  fake = undefined;
});

describe('a call', () => {
  it.each(Object.entries(CALLS))('is written and read as libvirt does: %s', async (_, golden) => {
    const program = golden.program ?? PROGRAM.remote;
    fake = await startFakeLibvirtd((frame) => {
      const isIt = frame.program === program && frame.procedure === golden.procedure;
      const answer = (isIt ? golden.answer : undefined) ?? ANSWERS.get(frame.procedure);
      if (answer !== undefined) return { payload: Buffer.from(answer, 'hex') };
      return isIt ? {} : undefined;
    });
    const { socketPath } = fake;
    libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock, socketPath });
    const given = await golden.call(libvirt);
    const call = fake.received.find(
      (frame) => frame.program === program && frame.procedure === golden.procedure,
    );
    expect(Buffer.from(call?.payload ?? []).toString('hex')).toBe(golden.sent);
    if (typeof golden.gives === 'object') expect(given).toMatchObject(golden.gives ?? {});
    else if ('gives' in golden) expect(given).toBe(golden.gives);
  });
});

describe('an event', () => {
  it.each(Object.keys(EVENTS) as DomainEventKind[])('is registered and read: %s', async (kind) => {
    fake = await startFakeLibvirtd((frame) =>
      frame.procedure === 316 ? { payload: Buffer.from('00000007', 'hex') } : undefined,
    );
    const { socketPath, received } = fake;
    libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock, socketPath });
    const seen: unknown[] = [];
    await libvirt.events.on(kind, (event) => seen.push(event));
    const [eventId, procedure] = EVENT_NUMBERS[kind];
    const registration = received.find((frame) => frame.procedure === 316);
    const args = Buffer.from(registration?.payload ?? []).toString('hex');
    expect(args).toBe(`${eventId.toString(16).padStart(8, '0')}00000000`);
    const payload = Buffer.from(`00000007${EVENTS[kind].message}`, 'hex');
    fake.send({ type: MESSAGE_TYPE.message, procedure, payload });
    // The same of somebody else's registration.
    payload.writeInt32BE(9, 0);
    fake.send({ type: MESSAGE_TYPE.message, procedure, payload });
    await waitFor(systemClock, 'the event', 2_000, () => seen.length > 0 || undefined);
    await libvirt.close();
    expect(seen).toMatchObject([{ domain: SUBJECT, ...Object(EVENTS[kind].tells) }]);
    expect(received.filter((frame) => frame.procedure === 317)).toHaveLength(1);
  });
});
