/**
 * Finds where a text stops being JSON. `JSON.parse` does not always say, and Mesos' answer to a
 * malformed body names the place. Only used once parsing has failed.
 */
export function findSyntaxError(text: string): number {
  const scanner = new Scanner(text);
  if (scanner.value()) scanner.skipSpace();
  return scanner.position;
}

const SPACE = /[ \t\n\r]*/y;
const WORD_OR_NUMBER = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings exclude just these
const SPECIAL_IN_STRING = /["\\\u0000-\u001f]/g;

/** `position` stays in front of what is wrong. Nesting is on a list: bodies come from outside. */
class Scanner {
  readonly #text: string;
  position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** False when the text is wrong, with `position` at the place. */
  value(): boolean {
    const closers: string[] = [];
    do {
      if (!this.#open(closers)) return false;
      if (!this.#close(closers)) return false;
    } while (closers.length > 0);
    return true;
  }

  skipSpace(): void {
    this.#match(SPACE);
  }

  /** A scalar, or brackets down to the first scalar inside them. */
  #open(closers: string[]): boolean {
    for (;;) {
      const bracket = this.#token(/[[{]/y);
      if (bracket === undefined) return this.#scalar();
      closers.push(bracket === '[' ? ']' : '}');
      this.skipSpace();
      if (this.#text[this.position] === closers.at(-1)) return true;
      if (bracket === '{' && !this.#key()) return false;
    }
  }

  /** Closing brackets, up to a comma after which the next value comes, or the end. */
  #close(closers: string[]): boolean {
    while (closers.length > 0) {
      if (this.#token(/,/y) !== undefined) return closers.at(-1) === ']' || this.#key();
      this.skipSpace();
      if (this.#text[this.position] !== closers.at(-1)) return false;
      this.position += 1;
      closers.pop();
    }
    return true;
  }

  #key(): boolean {
    this.skipSpace();
    return this.#string() && this.#token(/:/y) !== undefined;
  }

  #scalar(): boolean {
    this.skipSpace();
    return this.#string() || this.#match(WORD_OR_NUMBER) !== undefined;
  }

  /** In steps: one pattern for a whole string would overflow the stack on a large one. */
  #string(): boolean {
    const start = this.position;
    if (this.#text[start] !== '"') return false;
    this.position += 1;
    for (;;) {
      SPECIAL_IN_STRING.lastIndex = this.position;
      const special = SPECIAL_IN_STRING.exec(this.#text);
      this.position = special?.index ?? start;
      if (special?.[0] === '"') {
        this.position += 1;
        return true;
      }
      if (special?.[0] !== '\\' || this.#match(ESCAPE) === undefined) break;
    }
    this.position = start;
    return false;
  }

  #token(pattern: RegExp): string | undefined {
    this.skipSpace();
    return this.#match(pattern);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.#text)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }
}
