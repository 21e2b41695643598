import { systemClock } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { PROGRAM, STATUS } from '../src/frame.ts';
import { connectLibvirt, type GuestAgent, type Libvirt } from '../src/index.ts';
import { PROCEDURES } from '../src/procedures.ts';
import {
  type Answer,
  errorPayload,
  type FakeLibvirtd,
  payloadOf,
  startFakeLibvirtd,
} from './fake-libvirtd.ts';

const DOMAIN = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001' };
const COMMAND = PROCEDURES.qemuDomainAgentCommand;
const TIMEOUT = PROCEDURES.domainAgentSetResponseTimeout;
const FREEZE = PROCEDURES.domainFsFreeze;

let fake: FakeLibvirtd | undefined;
let libvirt: Libvirt | undefined;

afterEach(async () => {
  await libvirt?.close();
  await fake?.close();
  libvirt = undefined;
  fake = undefined;
});

async function agentThat(
  answers: Readonly<Record<number, Answer>>,
): Promise<{ readonly agent: GuestAgent; readonly fake: FakeLibvirtd }> {
  const server = await startFakeLibvirtd((frame) => answers[frame.procedure]);
  fake = server;
  const { socketPath } = server;
  libvirt = await connectLibvirt({ uri: 'qemu:///system', clock: systemClock, socketPath });
  return { agent: libvirt.guestAgent, fake: server };
}

/** libvirt's answer to an agent command, with the agent's own text in it. */
function says(result: string | undefined): Readonly<Record<number, Answer>> {
  return { [COMMAND.number]: { payload: payloadOf((w) => COMMAND.result.encode(w, { result })) } };
}

describe('a guest agent', () => {
  it('is asked by the program of QEMU, and gives what it returns', async () => {
    const { agent, fake } = await agentThat(says('{"return":{"version":"7.2"}}'));
    const command = { execute: 'guest-exec', arguments: { path: '/bin/true' } };
    expect(await agent.command(DOMAIN, command)).toStrictEqual({ version: '7.2' });
    const [call] = fake.received.filter((frame) => frame.program === PROGRAM.qemu);
    expect(call).toMatchObject({ procedure: COMMAND.number });
    expect(Buffer.from(call?.payload ?? []).toString()).toContain(JSON.stringify(command));
  });

  it.each([undefined, '', 'nonsense', '{}', '"return"', 'null'])(
    'that answers nonsense (%s) makes the call fail, and only the call',
    async (answer) => {
      const { agent } = await agentThat(says(answer));
      await expect(agent.ping(DOMAIN)).rejects.toMatchObject({ code: 'LIBVIRT_PROTOCOL' });
      await expect(agent.ping(DOMAIN)).rejects.toMatchObject({ code: 'LIBVIRT_PROTOCOL' });
    },
  );

  it('that is away is a typed error', async () => {
    const payload = errorPayload(86, 'Guest agent is not responding: it is not connected');
    const { agent } = await agentThat({ [COMMAND.number]: { status: STATUS.error, payload } });
    await expect(agent.ping(DOMAIN)).rejects.toMatchObject({
      name: 'LibvirtError',
      code: 'AGENT_UNRESPONSIVE',
      procedure: 'qemuDomainAgentCommand',
    });
  });

  it('has less time than the call, so that libvirt is the one that gives up', async () => {
    const { agent, fake } = await agentThat({
      [TIMEOUT.number]: { payload: payloadOf((w) => TIMEOUT.result.encode(w, { result: 0 })) },
      [FREEZE.number]: { payload: payloadOf((w) => FREEZE.result.encode(w, { filesystems: 3 })) },
    });
    expect(await agent.fsFreeze(DOMAIN, { timeoutMs: 60_000 })).toBe(3);
    expect(await agent.fsFreeze(DOMAIN)).toBe(3);
    expect(await agent.fsFreeze(DOMAIN, { timeoutMs: 500 })).toBe(3);
    const told = fake.received.filter((frame) => frame.procedure === TIMEOUT.number);
    const seconds = told.map((frame) => Buffer.from(frame.payload).readInt32BE(28));
    expect(seconds).toStrictEqual([58, 8, 1]);
  });

  it('is not waited for longer than the call may take', async () => {
    const { agent } = await agentThat({ [COMMAND.number]: 'silent' });
    await expect(agent.ping(DOMAIN, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'LIBVIRT_TIMEOUT',
      stage: 'sent',
    });
  });
});
