import { type Encoding, encodeProtobuf, type MessageName, toJson } from './codec.ts';
import type { MessageTypes } from './messages.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * Writes one message that comes in pieces: later ones add to the lists of earlier ones, and bring
 * fields that were not there. In protobuf the pieces follow each other as they are, for that is how
 * the encoding merges ("Last One Wins", Protocol Buffers: Encoding). In JSON an object is closed when
 * the first piece without it comes, so fields have to come in order.
 * @param adjust what else the JSON form of a piece has.
 * @throws CodecError as `encodeMessage`; Error when pieces come back to what is closed.
 */
export function* encodeMerged<N extends MessageName>(
  name: N,
  encoding: Encoding,
  pieces: Iterable<MessageTypes[N]>,
  adjust: (json: object) => object = (json) => json,
): Generator<Uint8Array> {
  if (encoding === 'protobuf') {
    for (const piece of pieces) yield encodeProtobuf(name, piece);
    return;
  }
  const writer = new MergingJsonWriter();
  for (const piece of pieces) yield Buffer.from(writer.add(adjust(toJson(name, piece))));
  yield Buffer.from(writer.end());
}

/** Writes objects as one, by remembering which objects and which list are open. */
class MergingJsonWriter {
  /** Names of the open objects from the outside in, and of the open list at last. */
  #path: string[] = [];
  #isListOpen = false;
  #isEmptyList = false;
  #isStarted = false;
  /** Plain fields that were written already, by path: pieces repeat them. */
  readonly #written = new Set<string>();
  #text = '';

  /** The text that the piece adds. */
  add(piece: object): string {
    this.#text = '';
    if (!this.#isStarted) this.#text = '{';
    const isFirst = !this.#isStarted;
    this.#isStarted = true;
    this.#addFields(Object.entries(piece), [], isFirst);
    return this.#text;
  }

  end(): string {
    this.#text = this.#isStarted ? '' : '{';
    this.#closeTo([]);
    return `${this.#text}}`;
  }

  #addFields(
    entries: readonly (readonly [string, unknown])[],
    at: readonly string[],
    isNew: boolean,
  ) {
    let needsComma = !isNew;
    for (const [name, value] of entries) {
      if (value === undefined) continue;
      const path = [...at, name];
      const key = path.join('/');
      const isOpen = this.#isPrefix(path);
      if (!isOpen && this.#written.has(key)) {
        if (isMergeable(value)) throw new Error(`pieces of ${key} are out of order`);
        continue;
      }
      if (!isOpen) {
        this.#closeTo(at);
        this.#text += `${needsComma ? ',' : ''}${JSON.stringify(name)}:`;
        this.#written.add(key);
      }
      needsComma = true;
      if (Array.isArray(value)) this.#addItems(value, path, isOpen);
      else if (isMergeable(value)) this.#addObject(value, path, isOpen);
      else this.#text += JSON.stringify(value);
    }
  }

  #addObject(value: Json, path: readonly string[], isOpen: boolean): void {
    if (!isOpen) {
      this.#text += '{';
      this.#path = [...path];
      this.#isListOpen = false;
    }
    this.#addFields(Object.entries(value), path, !isOpen);
  }

  #addItems(items: readonly unknown[], path: readonly string[], isOpen: boolean): void {
    if (!isOpen) {
      this.#text += '[';
      this.#path = [...path];
      this.#isListOpen = true;
      this.#isEmptyList = true;
    }
    for (const item of items) {
      this.#text += `${this.#isEmptyList ? '' : ','}${JSON.stringify(item)}`;
      this.#isEmptyList = false;
    }
  }

  #isPrefix(path: readonly string[]): boolean {
    return (
      path.length <= this.#path.length && path.every((name, index) => this.#path[index] === name)
    );
  }

  #closeTo(path: readonly string[]): void {
    while (this.#path.length > path.length) {
      this.#text += this.#isListOpen ? ']' : '}';
      this.#isListOpen = false;
      this.#path.pop();
    }
  }
}

function isMergeable(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}
