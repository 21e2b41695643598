import { DeadlineExceededError, systemClock, systemRandom, waitFor } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { EVENT_KINDS } from '../src/event-kinds.ts';
import { MESSAGE_TYPE } from '../src/frame.ts';
import {
  createReconnectingLibvirt,
  type DomainLifecycleEvent,
  type ReconnectingLibvirt,
} from '../src/index.ts';
import { domain } from '../src/procedures/shapes.ts';
import { PROCEDURES } from '../src/procedures.ts';
import { int, struct } from '../src/xdr.ts';
import { type FakeLibvirtd, payloadOf, startFakeLibvirtd } from './fake-libvirtd.ts';

const clock = systemClock;
const random = systemRandom;
const backoff = { baseMs: 5, maxMs: 20 };
const uri = 'qemu:///system';

let fake: FakeLibvirtd | undefined;
let libvirt: ReconnectingLibvirt | undefined;

afterEach(async () => {
  await libvirt?.close();
  await fake?.close();
  libvirt = undefined;
  fake = undefined;
});

describe('a reconnecting libvirt', () => {
  it('comes back, with its handlers, and says so', async () => {
    fake = await startFakeLibvirtd();
    libvirt = createReconnectingLibvirt({
      uri,
      clock,
      random,
      backoff,
      socketPath: fake.socketPath,
    });
    const seen: string[] = [];
    const note = (event: DomainLifecycleEvent) => seen.push(event.domain.name);
    const subscription = await libvirt.events.on('lifecycle', note);
    libvirt.onDisconnected((reason) => seen.push(`disconnected: ${reason.kind}`));
    libvirt.onReconnected(() => seen.push('reconnected'));
    await libvirt.whenConnected(2_000);
    expect(libvirt.connected).toBe(true);

    fake.sendLifecycle(1, 'before', 2, 0);
    await waitFor(clock, 'an event', 2_000, () => seen.length > 0 || undefined);
    fake.hangUp();
    await waitFor(clock, 'a reconnect', 2_000, () => seen.includes('reconnected') || undefined);
    fake.sendLifecycle(1, 'after', 2, 0);
    await waitFor(clock, 'an event', 2_000, () => seen.includes('after') || undefined);
    subscription.close();
    expect(seen).toStrictEqual(['before', 'disconnected: disconnected', 'reconnected', 'after']);
  });

  it('listens for every kind of event on every connection', async () => {
    fake = await startFakeLibvirtd();
    const { socketPath, received } = fake;
    libvirt = createReconnectingLibvirt({ uri, clock, random, backoff, socketPath });
    const kinds = Object.keys(EVENT_KINDS).length;
    const register = PROCEDURES.domainEventCallbackRegisterAny.number;
    const registrations = () => received.filter((frame) => frame.procedure === register).length;
    await libvirt.whenConnected(2_000);
    expect(registrations()).toBe(kinds);
    // A handler that comes later asks libvirtd for nothing more.
    const seen: string[] = [];
    await libvirt.events.on('reboot', (event) => seen.push(event.domain.name));
    libvirt.onReconnected(() => seen.push('reconnected'));
    fake.hangUp();
    await waitFor(clock, 'a reconnect', 2_000, () => seen.includes('reconnected') || undefined);
    expect(registrations()).toBe(2 * kinds);
    const message = struct({ callbackId: int, domain });
    const one = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001', id: 3 };
    const payload = payloadOf((w) => message.encode(w, { callbackId: 1, domain: one }));
    fake.send({ type: MESSAGE_TYPE.message, procedure: EVENT_KINDS.reboot.number, payload });
    await waitFor(clock, 'an event', 2_000, () => seen.includes('one') || undefined);
  });

  it('rejects calls while there is no connection, and keeps trying', async () => {
    fake = await startFakeLibvirtd();
    const { socketPath } = fake;
    await fake.close();
    fake = undefined;
    libvirt = createReconnectingLibvirt({ uri, clock, random, backoff, socketPath });
    await expect(libvirt.domains.list()).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
    await expect(libvirt.whenConnected(30)).rejects.toBeInstanceOf(DeadlineExceededError);
    expect(libvirt.connected).toBe(false);
  });

  it('rejects what was in flight: whether it was done is for the caller to find out', async () => {
    fake = await startFakeLibvirtd((frame) =>
      frame.procedure === PROCEDURES.connectListAllDomains.number ? 'hang-up' : undefined,
    );
    libvirt = createReconnectingLibvirt({
      uri,
      clock,
      random,
      backoff,
      socketPath: fake.socketPath,
    });
    await libvirt.whenConnected(2_000);
    await expect(libvirt.domains.list()).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
    await libvirt.whenConnected(2_000);
  });

  it('closes at once, even while libvirtd does not answer the opening', async () => {
    fake = await startFakeLibvirtd(() => 'silent');
    libvirt = createReconnectingLibvirt({
      uri,
      clock,
      random,
      backoff,
      socketPath: fake.socketPath,
    });
    await waitFor(clock, 'a first call', 2_000, () => fake?.received[0]);
    const before = clock.monotonicMs();
    await libvirt.close();
    expect(clock.monotonicMs() - before).toBeLessThan(900);
    await expect(libvirt.host.hostname()).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
  });
});
