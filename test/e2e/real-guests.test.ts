import {
  type ByteChannel,
  createWebSocketDialer,
  NORMAL_END,
  systemClock,
  waitFor,
} from '@factory/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  domainsOf,
  filesLeft,
  guestProcesses,
  networkLeft,
  pings,
  type RealFactory,
  startRealFactory,
} from '../support/real-factory.ts';

const TIMEOUT_MS = 240_000;
const dialer = createWebSocketDialer(systemClock);

describe('a factory with real guests', { timeout: TIMEOUT_MS }, () => {
  let factory: RealFactory;

  beforeAll(async () => {
    factory = await startRealFactory();
    const size = ['--image', 'micro', '--count', '3', '--vcpus', '1', '--memory', '128'];
    await factory.run('batch', 'create', '--name', 'trio', ...size, '--wait');
  }, TIMEOUT_MS);

  afterAll(() => factory?.remove(), TIMEOUT_MS);

  const vmNamed = async (name: string) => factory.client.findVm(name);
  const untilState = (name: string, state: string, timeoutMs: number) =>
    waitFor(systemClock, `${name} to be ${state}`, timeoutMs, async () => {
      const vm = await vmNamed(name);
      return vm.state === state ? vm : undefined;
    });

  it('boots three machines that answer a ping', async () => {
    const vms = await factory.client.vms({});
    expect(vms.map(({ state, guestReady }) => ({ state, guestReady }))).toEqual(
      Array.from({ length: 3 }, () => ({ state: 'running', guestReady: true })),
    );
    expect(new Set(vms.map(({ ipAddress }) => ipAddress)).size).toBe(3);
    expect(await Promise.all(vms.map((vm) => pings(factory, vm)))).toEqual([true, true, true]);
  });

  it('shows the serial console', async () => {
    expect(await factory.run('vm', 'logs', 'trio-1')).toContain('FACTORY-READY trio-1');
  });

  it('answers on its serial console what is typed, and keeps it in its log', async () => {
    const vm = await vmNamed('trio-1');
    const console_ = await factory.client.openConsole(vm.id, 'serial', dialer);
    await console_.send(Buffer.from('\n\n'));
    await untilShown(console_, '#');
    await console_.send(Buffer.from('echo $((6 * 7)) is $(hostname)\n'));
    await untilShown(console_, '42 is trio-1');
    console_.close(NORMAL_END);
    expect(await factory.run('vm', 'logs', 'trio-1')).toContain('42 is trio-1');
  });

  it('shows its screen by RFB', async () => {
    const vm = await vmNamed('trio-1');
    const screen = await factory.client.openConsole(vm.id, 'vnc', dialer);
    await untilShown(screen, 'RFB 003.008\n');
    screen.close(NORMAL_END);
  });

  it('stops a machine gently, and starts it again from its disk', async () => {
    await factory.run('vm', 'stop', 'trio-1', '--wait');
    const stopped = await vmNamed('trio-1');
    expect(stopped.reason).not.toBe('FORCED_OFF');
    expect(await pings(factory, stopped, 2)).toBe(false);
    await factory.run('vm', 'start', 'trio-1', '--wait');
    expect(await pings(factory, stopped, 60)).toBe(true);
  });

  it('shows a power-off inside the guest as stopped within 5 s', async () => {
    const vm = await vmNamed('trio-2');
    await powerOffInside(vm.id);
    const seen = await untilState('trio-2', 'stopped', 10_000);
    expect(seen.reason).toBe('GUEST_POWERED_OFF');
    expect(seen.desiredState).toBe('running');
  });

  it('shows a guest that was killed from outside as failed, with the reason', async () => {
    const vm = await vmNamed('trio-3');
    const process_ = (await guestProcesses([vm])).get(vm.id);
    process.kill(Number(process_?.split('@')[0]), 'SIGKILL');
    const seen = await untilState('trio-3', 'failed', 15_000);
    expect(['KILLED_FROM_OUTSIDE', 'GUEST_CRASHED']).toContain(seen.reason);
    expect(seen.message).not.toBe('');
  });

  it('deletes everything, and leaves nothing behind', async () => {
    const vms = await factory.client.vms({});
    await factory.run('batch', 'delete', 'trio', '--wait');
    expect(await domainsOf(vms)).toEqual([]);
    expect(await filesLeft(factory.layout)).toEqual([]);
    expect((await guestProcesses(vms)).size).toBe(0);
    expect(await networkLeft(factory.layout)).toEqual([]);
  });
});

/** Reads until the text has come. */
async function untilShown(channel: ByteChannel, text: string): Promise<void> {
  let shown = '';
  for await (const bytes of channel.received) {
    shown += Buffer.from(bytes).toString('latin1');
    if (shown.includes(text)) return;
  }
  throw new Error(`the console ended (${(await channel.ended).reason}) after: ${shown}`);
}

/** Types `poweroff` on the machine's serial console. */
async function powerOffInside(vmId: string): Promise<void> {
  const { connectLibvirt } = await import('@factory/libvirt');
  const libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock });
  try {
    const domain = await libvirt.domains.lookupByName(`fct-${vmId}`);
    const console_ = await libvirt.domains.openConsole(domain);
    await console_.write(Buffer.from('\npoweroff\n'));
    // What was typed has arrived when the shell shows it, or the machine goes down.
    let shown = '';
    for await (const bytes of console_) {
      shown += Buffer.from(bytes).toString('latin1');
      if (shown.includes('poweroff')) break;
    }
  } finally {
    await libvirt.close();
  }
}
