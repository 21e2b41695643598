import { createUndiciTransport } from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { readAgentFlags } from './agent/flags.ts';
import { readMasterFlags } from './master/flags.ts';
import { MasterProcesses } from './master/testing/master-process.ts';
import { chooseAddress, reachableAddress } from './reachable-address.ts';

const LIBPROCESS = {
  LIBPROCESS_IP: '0.0.0.0',
  LIBPROCESS_PORT: '0',
  LIBPROCESS_ADVERTISE_IP: '203.0.113.9',
  LIBPROCESS_ADVERTISE_PORT: '15050',
};

function reached(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly ip: string; readonly port: number }> {
  return reachableAddress(readMasterFlags(argv, env), async () => '10.0.0.7');
}

describe('a process is reached', () => {
  it('where it listens', async () => {
    expect(await reached([])).toEqual({ ip: '127.0.0.1', port: 5050 });
    expect(await reached(['--ip=10.0.0.1', '--port=6000'])).toEqual({ ip: '10.0.0.1', port: 6000 });
  });

  it.each(['0.0.0.0', '::'])('at the address of its host, where it listens on %s', async (ip) => {
    expect(await reached([`--ip=${ip}`])).toEqual({ ip: '10.0.0.7', port: 5050 });
  });

  it('where it says so', async () => {
    const argv = ['--ip=0.0.0.0', '--advertise_ip=203.0.113.5', '--advertise_port=80'];
    expect(await reached(argv)).toEqual({ ip: '203.0.113.5', port: 80 });
  });

  it("where libprocess' variables say, but for the port, as in Mesos", async () => {
    expect(await reached([], LIBPROCESS)).toEqual({ ip: '203.0.113.9', port: 15_050 });
    expect(readMasterFlags([], LIBPROCESS)).toMatchObject({ ip: '0.0.0.0', port: 5050 });
    expect(readAgentFlags(['--master=m:1'], LIBPROCESS).advertiseIp).toBe('203.0.113.9');
    // Mesos' own names come first.
    expect(readMasterFlags([], { ...LIBPROCESS, MESOS_IP: '10.0.0.2' }).ip).toBe('10.0.0.2');
  });
});

describe('the address of a host', () => {
  it('is that of its name', () => {
    expect(chooseAddress('10.0.0.1', ['192.168.0.1'])).toBe('10.0.0.1');
  });

  it('is that of an interface, where the name stands for loopback or for nothing', () => {
    expect(chooseAddress('127.0.1.1', ['2001:db8::1', '192.168.0.1'])).toBe('192.168.0.1');
    expect(chooseAddress(undefined, ['2001:db8::1'])).toBe('2001:db8::1');
  });

  it('is loopback where there is nothing else', () => {
    expect(chooseAddress('127.0.1.1', [])).toBe('127.0.1.1');
    expect(chooseAddress(undefined, [])).toBe('127.0.0.1');
  });
});

it('a master that listens everywhere tells how it is reached', { timeout: 30_000 }, async () => {
  const transport = createUndiciTransport();
  const masters = await MasterProcesses.open(transport);
  try {
    const flags = ['--ip=0.0.0.0', '--advertise_ip=203.0.113.5', '--advertise_port=80'];
    const { origin } = await masters.start({ flags });
    const { text } = await masters.answer(origin, 200);
    expect(JSON.parse(text).get_master.master_info).toMatchObject({
      pid: 'master@203.0.113.5:80',
      address: { hostname: '203.0.113.5', ip: '203.0.113.5', port: 80 },
    });
  } finally {
    await masters.close();
    await transport.close();
  }
});
