import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVENT_KINDS } from '../src/event-kinds.ts';
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  MESSAGE_TYPE,
  PROGRAM,
  STATUS,
} from '../src/frame.ts';
import { domain as domainShape, remoteError } from '../src/procedures/shapes.ts';
import { PROCEDURES } from '../src/procedures.ts';
import { int, struct, XdrWriter } from '../src/xdr.ts';

/** What the fake does with a call: nothing (`silent`), or a reply with this status and payload. */
export type Answer =
  | 'silent'
  | 'hang-up'
  | { readonly status?: number; readonly payload?: Uint8Array };

/** A libvirtd that speaks just the frames, and says what a test tells it to. */
export interface FakeLibvirtd {
  readonly socketPath: string;
  /** Frames of calls and streams that came in. */
  readonly received: readonly Frame[];
  /** The client connected last. */
  readonly client: Socket;
  /** Sends a frame to the client connected last. */
  send(frame: Partial<Frame>): void;
  /** Sends any bytes. */
  sendRaw(bytes: Uint8Array): void;
  sendLifecycle(callbackId: number, name: string, event: number, detail: number): void;
  hangUp(): void;
  close(): Promise<void>;
}

/** The payload that a codec writes. */
export function payloadOf(write: (writer: XdrWriter) => void): Uint8Array {
  const writer = new XdrWriter();
  write(writer);
  return writer.finish();
}

/** A libvirt error as a payload. */
export function errorPayload(code: number, message: string): Uint8Array {
  const nothing = { dom: undefined, str1: undefined, str2: undefined, str3: undefined };
  const rest = { int1: 0, int2: 0, net: undefined };
  return payloadOf((writer) =>
    remoteError.encode(writer, { code, domain: 10, message, level: 2, ...nothing, ...rest }),
  );
}

const FRAME: Frame = {
  program: PROGRAM.remote,
  procedure: 0,
  type: MESSAGE_TYPE.reply,
  serial: 0,
  status: STATUS.ok,
  payload: new Uint8Array(),
};

/** Lets a client in and says goodbye to it; everything else is up to the test. */
function defaultAnswer(frame: Frame): Answer | undefined {
  switch (frame.procedure) {
    case PROCEDURES.authList.number:
      return { payload: payloadOf((w) => PROCEDURES.authList.result.encode(w, { types: [0] })) };
    case PROCEDURES.connectOpen.number:
    case PROCEDURES.connectClose.number:
    case PROCEDURES.domainEventCallbackDeregisterAny.number:
      return {};
    case PROCEDURES.domainEventCallbackRegisterAny.number:
      return { payload: payloadOf((w) => w.writeInt32(1)) };
    default:
      return undefined;
  }
}

/** Starts a fake libvirtd on a socket of its own. */
export async function startFakeLibvirtd(
  answer: (frame: Frame) => Answer | undefined = () => undefined,
): Promise<FakeLibvirtd> {
  const folder = await mkdtemp(join(tmpdir(), 'fake-libvirtd-'));
  const socketPath = join(folder, 'sock');
  const received: Frame[] = [];
  const clients: Socket[] = [];
  const server = createServer((client) => {
    const decoder = new FrameDecoder();
    clients.push(client);
    client.on('error', () => client.destroy());
    client.on('data', (chunk) => {
      for (const frame of decoder.push(chunk)) {
        received.push(frame);
        if (frame.type !== MESSAGE_TYPE.call) continue;
        const reply = answer(frame) ?? defaultAnswer(frame) ?? 'silent';
        if (reply === 'hang-up') client.destroy();
        else if (reply !== 'silent') {
          const { program, procedure, serial } = frame;
          client.write(encodeFrame({ ...FRAME, program, procedure, serial, ...reply }));
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const current = (): Socket => {
    const client = clients.at(-1);
    if (client === undefined) throw new Error('no client has connected');
    return client;
  };
  const send = (frame: Partial<Frame>): void => {
    current().write(encodeFrame({ ...FRAME, ...frame }));
  };
  return {
    socketPath,
    received,
    get client() {
      return current();
    },
    send,
    sendRaw: (bytes) => current().write(bytes),
    sendLifecycle(callbackId, name, event, detail) {
      const domain = { name, uuid: '00000000-0000-4000-8000-000000000001', id: 3 };
      const payload = payloadOf((w) =>
        struct({ callbackId: int, domain: domainShape, event: int, detail: int }).encode(w, {
          callbackId,
          domain,
          event,
          detail,
        }),
      );
      send({ type: MESSAGE_TYPE.message, procedure: EVENT_KINDS.lifecycle.number, payload });
    },
    hangUp: () => current().destroy(),
    async close() {
      for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}
