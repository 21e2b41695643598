/** A larger record than this is a mistake or an attack: offers of 10,000 agents are about 10 MiB. */
export const RECORD_BYTES_MAX = 64 * 1024 * 1024;

/** Enough for any length that JavaScript can count to. */
const LENGTH_DIGITS_MAX = 16;
const NEWLINE = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** The bytes are not RecordIO, or a record is too large. The stream cannot be read on. */
export class RecordIoError extends Error {
  readonly code = 'MESOS_ERR_RECORDIO';
  constructor(message: string) {
    super(message);
    this.name = 'RecordIoError';
  }
}

/** One record as Mesos frames it: its length in decimal, a newline, its bytes. */
export function encodeRecord(record: Uint8Array): Uint8Array {
  const header = `${record.length}\n`;
  const framed = Buffer.allocUnsafe(header.length + record.length);
  framed.write(header, 'latin1');
  framed.set(record, header.length);
  return framed;
}

/** Cuts a stream of bytes into records, however the bytes come in. */
export class RecordDecoder {
  readonly #recordBytesMax: number;
  /** The length read so far, -1 before its first digit. */
  #length = -1;
  #digits = 0;
  /** Undefined while the length is being read. */
  #record: Buffer | undefined;
  #filled = 0;

  constructor(options: { readonly recordBytesMax?: number } = {}) {
    this.#recordBytesMax = options.recordBytesMax ?? RECORD_BYTES_MAX;
  }

  /**
   * The records that `chunk` completes. They do not share memory with it.
   * @throws RecordIoError when the bytes are no RecordIO; the decoder is of no use afterwards.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const records: Uint8Array[] = [];
    let position = 0;
    while (position < chunk.length) {
      if (this.#record === undefined) {
        this.#readLength(chunk[position]);
        position += 1;
      } else {
        const end = Math.min(chunk.length, position + this.#record.length - this.#filled);
        this.#record.set(chunk.subarray(position, end), this.#filled);
        this.#filled += end - position;
        position = end;
      }
      if (this.#record !== undefined && this.#filled === this.#record.length) {
        records.push(this.#record);
        this.#record = undefined;
      }
    }
    return records;
  }

  /** @throws RecordIoError when the stream ends here but the record did not. */
  end(): void {
    if (this.#record === undefined && this.#length < 0) return;
    throw new RecordIoError('The stream ended within a record');
  }

  #readLength(byte: number | undefined): void {
    if (byte === NEWLINE && this.#length >= 0) {
      this.#record = Buffer.allocUnsafe(this.#length);
      this.#filled = 0;
      this.#length = -1;
      this.#digits = 0;
      return;
    }
    if (byte === undefined || byte < ZERO || byte > NINE || this.#digits >= LENGTH_DIGITS_MAX) {
      throw new RecordIoError('Failed to decode the length of a record');
    }
    this.#digits += 1;
    this.#length = Math.max(this.#length, 0) * 10 + (byte - ZERO);
    if (this.#length > this.#recordBytesMax) {
      throw new RecordIoError(
        `A record of more than ${this.#recordBytesMax} bytes: ${this.#length}`,
      );
    }
  }
}

/**
 * The records of a stream.
 * @throws RecordIoError as {@link RecordDecoder}, and when the stream ends within a record.
 */
export async function* readRecords(
  stream: AsyncIterable<Uint8Array>,
  options: { readonly recordBytesMax?: number } = {},
): AsyncGenerator<Uint8Array> {
  const decoder = new RecordDecoder(options);
  for await (const chunk of stream) yield* decoder.push(chunk);
  decoder.end();
}
