import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { type Frame, MESSAGE_TYPE, PROGRAM, STATUS } from '../src/frame.ts';
import { connectLibvirt, type DomainLifecycleEvent, type Libvirt } from '../src/index.ts';
import { PROCEDURES } from '../src/procedures.ts';
import {
  type Answer,
  errorPayload,
  type FakeLibvirtd,
  payloadOf,
  startFakeLibvirtd,
} from './fake-libvirtd.ts';

const DOMAIN = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001' };
const clock = systemClock;

let fake: FakeLibvirtd | undefined;
let libvirt: Libvirt | undefined;

afterEach(async () => {
  await libvirt?.close();
  await fake?.close();
  libvirt = undefined;
  fake = undefined;
});

async function connect(
  answer?: (frame: Frame) => Answer | undefined,
  options: { readonly callTimeoutMs?: number; readonly maxQueuedCalls?: number } = {},
): Promise<{ readonly fake: FakeLibvirtd; readonly libvirt: Libvirt }> {
  fake = await startFakeLibvirtd(answer);
  const uri = 'qemu:///system';
  libvirt = await connectLibvirt({ uri, clock, socketPath: fake.socketPath, ...options });
  return { fake, libvirt };
}

function sent(server: FakeLibvirtd, procedure: { readonly number: number }): readonly Frame[] {
  return server.received.filter((frame) => frame.procedure === procedure.number);
}

const hostname = (name: string): Uint8Array =>
  payloadOf((w) => PROCEDURES.connectGetHostname.result.encode(w, { hostname: name }));

describe('a connection', () => {
  it('asks for authentication, opens the URI and says goodbye', async () => {
    const { fake, libvirt } = await connect();
    await libvirt.close();
    expect(await libvirt.closed).toMatchObject({ kind: 'closed' });
    expect(fake.received.map((frame) => frame.procedure)).toStrictEqual([66, 1, 2]);
    await expect(libvirt.host.hostname()).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
  });

  it('refuses an authentication it does not do', async () => {
    const types = payloadOf((w) => PROCEDURES.authList.result.encode(w, { types: [2] }));
    const attempt = connect((frame) => (frame.procedure === 66 ? { payload: types } : undefined));
    await expect(attempt).rejects.toMatchObject({ code: 'LIBVIRT_AUTH' });
  });

  it('says so when nobody listens', async () => {
    const attempt = connectLibvirt({ uri: 'test:///default', clock, socketPath: '/nowhere/sock' });
    await expect(attempt).rejects.toThrow(/no libvirtd at its socket: connect ENOENT/);
  });

  it('turns libvirt’s errors into typed ones', async () => {
    const { libvirt } = await connect((frame) =>
      frame.procedure === PROCEDURES.domainLookupByName.number
        ? { status: STATUS.error, payload: errorPayload(42, 'Domain not found') }
        : undefined,
    );
    await expect(libvirt.domains.lookupByName('gone')).rejects.toMatchObject({
      name: 'LibvirtError',
      code: 'NO_DOMAIN',
      number: 42,
      domain: 'QEMU',
      level: 'error',
      procedure: 'domainLookupByName',
      message: 'Domain not found',
    });
  });

  it('rejects a call whose answer has another layout, and only that call', async () => {
    const { libvirt } = await connect((frame) => {
      if (frame.procedure === PROCEDURES.connectGetVersion.number) {
        return { payload: Buffer.alloc(12) };
      }
      if (frame.procedure === 59) return { payload: hostname('here') };
      return undefined;
    });
    await expect(libvirt.host.hypervisorVersion()).rejects.toMatchObject({
      code: 'LIBVIRT_PROTOCOL',
    });
    expect(await libvirt.host.hostname()).toBe('here');
  });

  it('rejects every call when libvirtd goes away', async () => {
    const { fake, libvirt } = await connect();
    const calls = Array.from({ length: 9 }, () => libvirt.host.hostname());
    await waitFor(clock, 'calls', 2_000, () =>
      sent(fake, PROCEDURES.connectGetHostname).length >= 4 ? true : undefined,
    );
    fake.hangUp();
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({
        status: 'rejected',
        reason: { code: 'LIBVIRT_DISCONNECTED', reason: { kind: 'disconnected' } },
      });
    }
    expect((await libvirt.closed).kind).toBe('disconnected');
  });

  it('ends at bytes that are no protocol', async () => {
    const { fake, libvirt } = await connect();
    fake.sendRaw(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n padding'));
    expect(await libvirt.closed).toMatchObject({ kind: 'protocol' });
  });

  it('ends at an event it can’t read, since a lost event is a wrong picture', async () => {
    const { fake, libvirt } = await connect();
    fake.send({ type: MESSAGE_TYPE.message, procedure: 318, payload: Buffer.alloc(3) });
    expect(await libvirt.closed).toMatchObject({ kind: 'protocol' });
  });

  it('ends at a program that it does not know', async () => {
    const { fake, libvirt } = await connect();
    fake.send({ program: 0x2000_8088, type: MESSAGE_TYPE.message, procedure: 1 });
    expect(await libvirt.closed).toMatchObject({
      kind: 'protocol',
      message: 'a message of program 0x20008088',
    });
  });

  it('drops events that it knows nothing of, of any program', async () => {
    const { fake, libvirt } = await connect((frame) =>
      frame.procedure === 59 ? { payload: hostname('here') } : undefined,
    );
    const type = MESSAGE_TYPE.message;
    fake.send({ type, procedure: 9_999 });
    // QEMU_PROC_DOMAIN_MONITOR_EVENT, and a number that is another event in the other program.
    fake.send({ type, program: PROGRAM.qemu, procedure: 6 });
    fake.send({ type, program: PROGRAM.qemu, procedure: 318 });
    expect(await libvirt.host.hostname()).toBe('here');
  });

  it('answers a keepalive ping', async () => {
    const { fake } = await connect();
    fake.send({ program: PROGRAM.keepalive, procedure: 1, type: MESSAGE_TYPE.message });
    const pong = await waitFor(clock, 'a pong', 2_000, () =>
      fake.received.find((frame) => frame.program === PROGRAM.keepalive),
    );
    expect(pong).toMatchObject({ procedure: 2, serial: 0, type: MESSAGE_TYPE.message });
  });
});

describe('deadlines', () => {
  it('end a call, and the late answer disturbs nobody', async () => {
    let silent = true;
    const { fake, libvirt } = await connect((frame) =>
      frame.procedure === 59 && !silent ? { payload: hostname('second') } : undefined,
    );
    await expect(libvirt.host.hostname({ timeoutMs: 20 })).rejects.toMatchObject({
      code: 'LIBVIRT_TIMEOUT',
      stage: 'sent',
      procedure: 'connectGetHostname',
    });
    silent = false;
    const [late] = sent(fake, PROCEDURES.connectGetHostname);
    fake.send({ procedure: 59, serial: late?.serial ?? 0, payload: hostname('first') });
    expect(await libvirt.host.hostname()).toBe('second');
  });

  it('count from sending; waiting for a place has its own', async () => {
    const { fake, libvirt } = await connect();
    const sentCalls = Array.from({ length: 4 }, () => libvirt.host.hostname({ timeoutMs: 5_000 }));
    await expect(libvirt.host.hostname({ timeoutMs: 20 })).rejects.toMatchObject({
      code: 'LIBVIRT_TIMEOUT',
      stage: 'queued',
    });
    expect(sent(fake, PROCEDURES.connectGetHostname)).toHaveLength(4);
    fake.hangUp();
    await Promise.allSettled(sentCalls);
  });

  it('end a connection whose every place is held by a call that timed out', async () => {
    const { libvirt } = await connect();
    const calls = Array.from({ length: 5 }, (_, index) =>
      libvirt.host.hostname({ timeoutMs: index < 4 ? 20 : 5_000 }),
    );
    const results = await Promise.allSettled(calls);
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual([
      ...Array(4).fill('LIBVIRT_TIMEOUT'),
      'LIBVIRT_DISCONNECTED',
    ]);
    expect((await libvirt.closed).kind).toBe('unresponsive');
  });

  it('cover the opening', async () => {
    const attempt = connect((frame) => (frame.procedure === 1 ? 'silent' : undefined), {
      callTimeoutMs: 20,
    });
    await expect(attempt).rejects.toMatchObject({ code: 'LIBVIRT_TIMEOUT' });
  });

  it('cover the goodbye', async () => {
    const { libvirt } = await connect((frame) => (frame.procedure === 2 ? 'silent' : undefined));
    await libvirt.close();
    expect((await libvirt.closed).kind).toBe('closed');
  });
});

describe('the queue', () => {
  it('keeps four calls in flight and the order of the rest', async () => {
    const { fake, libvirt } = await connect();
    const names = Array.from({ length: 12 }, (_, index) => `domain-${index}`);
    const calls = names.map((name) => libvirt.domains.lookupByName(name));
    for (const [index, name] of names.entries()) {
      const frame = await waitFor(clock, name, 2_000, () => sent(fake, LOOKUP)[index]);
      expect(Buffer.from(frame.payload).includes(name)).toBe(true);
      expect(sent(fake, LOOKUP).length - index).toBeLessThanOrEqual(4);
      const domain = { name, uuid: DOMAIN.uuid, id: -1 };
      const payload = payloadOf((w) => LOOKUP.result.encode(w, { domain }));
      fake.send({ procedure: LOOKUP.number, serial: frame.serial, payload });
    }
    const domains = await Promise.all(calls);
    expect(domains.map((domain) => domain.name)).toStrictEqual(names);
  });

  it('refuses more than its bound', async () => {
    const { fake, libvirt } = await connect(undefined, { maxQueuedCalls: 1 });
    const calls = Array.from({ length: 6 }, () => libvirt.host.hostname());
    await expect(calls[5]).rejects.toMatchObject({ code: 'LIBVIRT_OVERLOADED' });
    fake.hangUp();
    await Promise.allSettled(calls);
  });

  const LOOKUP = PROCEDURES.domainLookupByName;
});

describe('events', () => {
  it('reach every handler in order, even next to one that throws', async () => {
    const { fake, libvirt } = await connect();
    const seen: DomainLifecycleEvent[] = [];
    await libvirt.events.on('lifecycle', () => {
      throw new Error('a broken handler');
    });
    const subscription = await libvirt.events.on('lifecycle', (event) => seen.push(event));
    expect(sent(fake, PROCEDURES.domainEventCallbackRegisterAny)).toHaveLength(1);
    fake.sendLifecycle(1, 'a', 2, 0);
    fake.sendLifecycle(1, 'b', 5, 2);
    // Another registration of this connection, e.g. one that had timed out: the same event again.
    fake.sendLifecycle(9, 'b', 5, 2);
    fake.sendLifecycle(1, 'c', 99, 99);
    await waitFor(clock, 'events', 2_000, () => (seen.length >= 3 ? true : undefined));
    expect(seen.map((event) => [event.domain.name, event.event, event.detail])).toStrictEqual([
      ['a', 'started', 'booted'],
      ['b', 'stopped', 'crashed'],
      ['c', 'unknown', 'unknown'],
    ]);
    expect(seen[2]?.raw).toStrictEqual({ event: 99, detail: 99 });
    subscription.close();
    await libvirt.close();
    expect(sent(fake, PROCEDURES.domainEventCallbackDeregisterAny)).toHaveLength(1);
  });
});
