import { LibvirtProtocolError } from './errors.ts';

/**
 * libvirt's frames (virnetprotocol.x): a length that counts itself, six words of header, a payload.
 */
const LENGTH_BYTES = 4;
const HEADER_BYTES = 24;
const PREFIX_BYTES = LENGTH_BYTES + HEADER_BYTES;

/** VIR_NET_MESSAGE_MAX; the length word comes on top. */
export const MAX_MESSAGE_BYTES = 33_554_432;

/** The programs that speak on one socket: all drivers' calls, QEMU's own, and the keepalive. */
export const PROGRAM = {
  remote: 0x2000_8086,
  qemu: 0x2000_8087,
  keepalive: 0x6b65_6570,
} as const;
/** The version these programs have had since their birth. */
const PROTOCOL_VERSION = 1;

/** virNetMessageType. Types 4 and 5 pass file descriptors, 6 holes: we never ask for them. */
export const MESSAGE_TYPE = { call: 0, reply: 1, message: 2, stream: 3 } as const;
/** virNetMessageStatus. */
export const STATUS = { ok: 0, error: 1, continue: 2 } as const;

/** A frame, taken apart. */
export interface Frame {
  readonly program: number;
  readonly procedure: number;
  /** One of {@link MESSAGE_TYPE}. */
  readonly type: number;
  /** The call it belongs to; 0 for an event. */
  readonly serial: number;
  /** One of {@link STATUS}. */
  readonly status: number;
  readonly payload: Uint8Array;
}

/** The bytes of a frame. @throws LibvirtProtocolError when it is larger than libvirt accepts. */
export function encodeFrame(frame: Frame): Buffer {
  const length = PREFIX_BYTES + frame.payload.length;
  if (length > MAX_MESSAGE_BYTES) {
    throw new LibvirtProtocolError(`a message of ${length} bytes is larger than libvirt accepts`);
  }
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(length, 0);
  bytes.writeUInt32BE(frame.program, 4);
  bytes.writeUInt32BE(PROTOCOL_VERSION, 8);
  bytes.writeInt32BE(frame.procedure, 12);
  bytes.writeUInt32BE(frame.type, 16);
  bytes.writeUInt32BE(frame.serial, 20);
  bytes.writeUInt32BE(frame.status, 24);
  bytes.set(frame.payload, PREFIX_BYTES);
  return bytes;
}

/** @throws LibvirtProtocolError when the frame's version is not ours. */
function decodeFrame(bytes: Buffer): Frame {
  const version = bytes.readUInt32BE(8);
  if (version !== PROTOCOL_VERSION) {
    throw new LibvirtProtocolError(`protocol version ${version} instead of ${PROTOCOL_VERSION}`);
  }
  return {
    program: bytes.readUInt32BE(4),
    procedure: bytes.readInt32BE(12),
    type: bytes.readUInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readUInt32BE(24),
    payload: bytes.subarray(PREFIX_BYTES),
  };
}

/** Cuts a byte stream into frames, wherever the chunks were cut. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  /** Bytes needed before there is anything to do: so a big frame is joined once, not per chunk. */
  #neededBytes = LENGTH_BYTES;

  /**
   * The frames that `chunk` completes.
   * @throws LibvirtProtocolError on a length no frame can have; the decoder is unusable then.
   */
  push(chunk: Uint8Array): readonly Frame[] {
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#bufferedBytes += chunk.byteLength;
    if (this.#bufferedBytes < this.#neededBytes) return [];
    const [only] = this.#chunks;
    let rest = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    const frames: Frame[] = [];
    for (;;) {
      this.#neededBytes = rest.length < LENGTH_BYTES ? LENGTH_BYTES : frameLength(rest);
      if (rest.length < this.#neededBytes) break;
      frames.push(decodeFrame(rest.subarray(0, this.#neededBytes)));
      rest = rest.subarray(this.#neededBytes);
    }
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#bufferedBytes = rest.length;
    return frames;
  }
}

function frameLength(bytes: Buffer): number {
  const length = bytes.readUInt32BE(0);
  if (length < PREFIX_BYTES || length > MAX_MESSAGE_BYTES + LENGTH_BYTES) {
    throw new LibvirtProtocolError(`a frame of ${length} bytes`);
  }
  return length;
}
