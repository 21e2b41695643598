import { systemClock, waitFor } from '@factory/runtime';
import { afterEach, describe, expect, it } from 'vitest';
import { type Frame, MESSAGE_TYPE, STATUS } from '../src/frame.ts';
import { connectLibvirt, type Libvirt, type LibvirtStream } from '../src/index.ts';
import { PROCEDURES } from '../src/procedures.ts';
import { errorPayload, type FakeLibvirtd, payloadOf, startFakeLibvirtd } from './fake-libvirtd.ts';

const DOMAIN = { name: 'one', uuid: '00000000-0000-4000-8000-000000000001' };
const CONSOLE = PROCEDURES.domainOpenConsole.number;
const clock = systemClock;

let fake: FakeLibvirtd | undefined;
let libvirt: Libvirt | undefined;

afterEach(async () => {
  await libvirt?.close();
  await fake?.close();
  libvirt = undefined;
  fake = undefined;
});

interface Opened {
  readonly fake: FakeLibvirtd;
  readonly stream: LibvirtStream;
  /** Sends a stream frame from libvirt's side. */
  readonly say: (status: number, payload?: Uint8Array | string) => void;
  /** The stream frames we sent. */
  readonly said: () => readonly Frame[];
}

async function openConsole(maxBufferedBytes?: number): Promise<Opened> {
  const server = await startFakeLibvirtd((frame) => (frame.procedure === CONSOLE ? {} : undefined));
  fake = server;
  libvirt = await connectLibvirt({
    uri: 'qemu:///system',
    clock,
    socketPath: server.socketPath,
    callTimeoutMs: 500,
  });
  const limit = maxBufferedBytes === undefined ? {} : { maxBufferedBytes };
  const stream = await libvirt.domains.openConsole(DOMAIN, limit);
  const serial = server.received.find((frame) => frame.procedure === CONSOLE)?.serial ?? 0;
  const type = MESSAGE_TYPE.stream;
  return {
    fake: server,
    stream,
    say: (status, payload = '') =>
      server.send({ procedure: CONSOLE, type, serial, status, payload: Buffer.from(payload) }),
    said: () => server.received.filter((frame) => frame.type === type),
  };
}

async function text(stream: LibvirtStream): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function frames(opened: Opened, count: number): Promise<readonly Frame[]> {
  return waitFor(clock, `${count} stream frames`, 2_000, () => {
    const said = opened.said();
    return said.length >= count ? said : undefined;
  });
}

describe('a stream', () => {
  it('gives all bytes and ends when libvirt has no more, which it confirms', async () => {
    const opened = await openConsole();
    opened.say(STATUS.continue, 'hello ');
    opened.say(STATUS.continue, 'world');
    opened.say(STATUS.continue);
    expect(await text(opened.stream)).toBe('hello world');
    const [finish] = await frames(opened, 1);
    expect(finish).toMatchObject({ status: STATUS.ok, procedure: CONSOLE });
    await expect(opened.stream.write('x')).rejects.toMatchObject({ code: 'LIBVIRT_STREAM_CLOSED' });
  });

  it('writes, in pieces that every libvirtd takes', async () => {
    const opened = await openConsole();
    await opened.stream.write('ls\n');
    await opened.stream.write(Buffer.alloc(600_000, 'x'));
    const sizes = (await frames(opened, 4)).map((frame) => frame.payload.length);
    expect(sizes).toStrictEqual([3, 262_120, 262_120, 75_760]);
  });

  it('closes by a finish that libvirt confirms, and only once', async () => {
    const opened = await openConsole();
    const closing = opened.stream.close();
    await frames(opened, 1);
    opened.say(STATUS.continue);
    await closing;
    await opened.stream.close();
    opened.stream.abort();
    expect(opened.said().map((frame) => frame.status)).toStrictEqual([STATUS.ok]);
    expect(await text(opened.stream)).toBe('');
  });

  it('does not wait forever for the confirmation', async () => {
    const opened = await openConsole();
    await expect(opened.stream.close()).rejects.toMatchObject({ code: 'FACTORY_ERR_DEADLINE' });
    expect(await text(opened.stream)).toBe('');
  });

  it('gives what came before an error of libvirt, then the error', async () => {
    const opened = await openConsole();
    opened.say(STATUS.continue, 'last words');
    opened.say(STATUS.error, errorPayload(39, 'stream had I/O failure'));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of opened.stream) seen.push(Buffer.from(chunk).toString());
    })();
    await expect(reading).rejects.toMatchObject({ name: 'LibvirtError', code: 'RPC' });
    expect(seen).toStrictEqual(['last words']);
  });

  it('is aborted when the reader leaves, and what still comes is dropped', async () => {
    const opened = await openConsole();
    opened.say(STATUS.continue, 'one');
    for await (const chunk of opened.stream) {
      expect(Buffer.from(chunk).toString()).toBe('one');
      break;
    }
    opened.say(STATUS.continue, 'two');
    expect((await frames(opened, 1)).map((frame) => frame.status)).toStrictEqual([STATUS.error]);
  });

  it('is aborted rather than fill the memory of a slow reader', async () => {
    const opened = await openConsole(10);
    opened.say(STATUS.continue, '12345678');
    opened.say(STATUS.continue, '9abcdefg');
    const [abort] = await frames(opened, 1);
    expect(abort?.status).toBe(STATUS.error);
    await expect(text(opened.stream)).rejects.toMatchObject({ code: 'LIBVIRT_STREAM_OVERFLOW' });
  });

  it('fails when the connection is lost', async () => {
    const opened = await openConsole();
    const reading = text(opened.stream);
    opened.fake.hangUp();
    await expect(reading).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
    await expect(opened.stream.write('x')).rejects.toMatchObject({ code: 'LIBVIRT_DISCONNECTED' });
  });
});

describe('a stream that opens too late', () => {
  it('is aborted, as nobody will read it', async () => {
    fake = await startFakeLibvirtd();
    const { socketPath } = fake;
    libvirt = await connectLibvirt({ uri: 'qemu:///system', clock, socketPath });
    const opening = libvirt.domains.openConsole(DOMAIN, { timeoutMs: 20 });
    await expect(opening).rejects.toMatchObject({ code: 'LIBVIRT_TIMEOUT' });
    const serial = fake.received.find((frame) => frame.procedure === CONSOLE)?.serial ?? 0;
    fake.send({ procedure: CONSOLE, serial });
    const abort = await waitFor(clock, 'an abort', 2_000, () =>
      fake?.received.find((frame) => frame.type === MESSAGE_TYPE.stream),
    );
    expect(abort).toMatchObject({ serial, status: STATUS.error });
  });
});

describe('a screenshot', () => {
  const SCREENSHOT = PROCEDURES.domainScreenshot;
  const mime = payloadOf((w) => SCREENSHOT.result.encode(w, { mime: 'image/png' }));

  it('is read to its end', async () => {
    fake = await startFakeLibvirtd((frame) =>
      frame.procedure === SCREENSHOT.number ? { payload: mime } : undefined,
    );
    const { socketPath } = fake;
    libvirt = await connectLibvirt({ uri: 'qemu:///system', clock, socketPath });
    const taking = libvirt.domains.screenshot(DOMAIN);
    const call = await waitFor(clock, 'the call', 2_000, () =>
      fake?.received.find((frame) => frame.procedure === SCREENSHOT.number),
    );
    const frame = { ...call, type: MESSAGE_TYPE.stream, status: STATUS.continue };
    fake.send({ ...frame, payload: Buffer.from('PNG') });
    fake.send({ ...frame, payload: new Uint8Array() });
    const { bytes, ...rest } = await taking;
    expect(rest).toStrictEqual({ mime: 'image/png' });
    expect(Buffer.from(bytes).toString()).toBe('PNG');
  });

  it('that stalls ends at its deadline', async () => {
    fake = await startFakeLibvirtd((frame) =>
      frame.procedure === SCREENSHOT.number ? { payload: mime } : undefined,
    );
    const { socketPath } = fake;
    libvirt = await connectLibvirt({ uri: 'qemu:///system', clock, socketPath });
    await expect(libvirt.domains.screenshot(DOMAIN, { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'LIBVIRT_TIMEOUT',
    });
  });
});
