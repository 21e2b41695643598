/** A pattern that can't be used; the message says why, for whoever wrote it. */
export class TextPatternError extends Error {
  readonly code = 'BAD_PATTERN';
  constructor(message: string) {
    super(message);
    this.name = 'TextPatternError';
  }
}

export const TEXT_PATTERN_LIMITS = {
  lengthMax: 256,
  /** Of the machine that it becomes; repetitions are written out. */
  statesMax: 512,
  depthMax: 32,
  repeatMax: 256,
  /** Longer texts don't match. */
  textLengthMax: 4_096,
} as const;

/** Whether one character, by its code point, will do. */
type Accepts = (code: number) => boolean;

type Node =
  | { readonly kind: 'char'; readonly accepts: Accepts }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

/** One state of the machine. `fork` reads nothing and goes both ways; `done` is the end. */
type State =
  | { readonly kind: 'read'; readonly accepts: Accepts; readonly next: number }
  | { readonly kind: 'fork'; next: number; readonly other: number }
  | { readonly kind: 'done' };

/**
 * Compiles a regular expression into a test whether it matches a whole text. The test takes time in
 * proportion to the text's length, whatever the pattern (all ways are followed at once, none is
 * tried again: K. Thompson, "Regular Expression Search Algorithm", CACM 1968), because patterns
 * come from users and are matched while offers wait.
 *
 * Known: characters, `.`, `[a-z]`, `[^a-z]`, `\d \w \s \D \W \S`, groups, `|`, `* + ? {n} {n,} {n,m}`;
 * `^` at the beginning and `$` at the end are allowed and mean nothing.
 * @throws TextPatternError for anything else, and for what is too large.
 */
export function compileTextPattern(pattern: string): (text: string) => boolean {
  if (pattern.length > TEXT_PATTERN_LIMITS.lengthMax) {
    throw new TextPatternError(`longer than ${TEXT_PATTERN_LIMITS.lengthMax} characters`);
  }
  const machine = buildMachine(new Reader(pattern).read());
  return (text) => text.length <= TEXT_PATTERN_LIMITS.textLengthMax && runs(machine, text);
}

/** Reads a pattern into a tree. */
class Reader {
  readonly #chars: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    const body = pattern.startsWith('^') ? pattern.slice(1) : pattern;
    const isAnchored = /(^|[^\\])(\\\\)*\$$/.test(body);
    this.#chars = [...(isAnchored ? body.slice(0, -1) : body)];
  }

  read(): Node {
    const node = this.#choice();
    if (this.#peek() === ')') throw new TextPatternError('a ) without its (');
    return node;
  }

  #peek(): string | undefined {
    return this.#chars[this.#at];
  }

  #take(): string {
    const char = this.#chars[this.#at];
    if (char === undefined) throw new TextPatternError('it ends too early');
    this.#at += 1;
    return char;
  }

  #skip(char: string): boolean {
    const isThere = this.#peek() === char;
    if (isThere) this.#at += 1;
    return isThere;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#skip('|')) parts.push(this.#sequence());
    return { kind: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let next = this.#peek(); next !== undefined && !'|)'.includes(next); next = this.#peek()) {
      parts.push(this.#withCount(this.#single()));
    }
    return { kind: 'sequence', parts };
  }

  #withCount(part: Node): Node {
    const next = this.#peek();
    if (next === undefined || !'*+?{'.includes(next)) return part;
    this.#at += 1;
    const [min, max] = this.#bounds(next);
    const after = this.#peek();
    if (after !== undefined && '*+?{'.includes(after)) {
      throw new TextPatternError(`a repetition of a repetition: ${next}${after}`);
    }
    return { kind: 'repeat', part, min, max };
  }

  #bounds(sign: string): readonly [min: number, max: number] {
    if (sign === '*') return [0, Number.POSITIVE_INFINITY];
    if (sign === '+') return [1, Number.POSITIVE_INFINITY];
    if (sign === '?') return [0, 1];
    let text = '';
    while (!this.#skip('}')) text += this.#take();
    const match = /^(\d{1,3})(,(\d{0,3}))?$/.exec(text);
    if (match === null) throw new TextPatternError(`{${text}} is no count; a brace itself is \\{`);
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : Number(match[3] || Number.POSITIVE_INFINITY);
    const largest = max === Number.POSITIVE_INFINITY ? min : max;
    if (largest > TEXT_PATTERN_LIMITS.repeatMax || max < min) {
      throw new TextPatternError(`{${text}} is no usable count`);
    }
    return [min, max];
  }

  #single(): Node {
    const char = this.#take();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'char', accepts: this.#class() };
      case '.':
        return { kind: 'char', accepts: () => true };
      case '\\':
        return { kind: 'char', accepts: this.#escape() };
      case '*':
      case '+':
      case '?':
      case '{':
        throw new TextPatternError(`${char} has nothing to repeat`);
      case '^':
      case '$':
        throw new TextPatternError(`${char} in the middle; a whole text is matched anyway`);
      default:
        return { kind: 'char', accepts: only(char) };
    }
  }

  #group(): Node {
    this.#depth += 1;
    if (this.#depth > TEXT_PATTERN_LIMITS.depthMax) throw new TextPatternError('nested too deeply');
    if (this.#skip('?') && !this.#skip(':')) {
      throw new TextPatternError('lookaround, names and flags of groups are not supported');
    }
    const node = this.#choice();
    if (!this.#skip(')')) throw new TextPatternError('a ( without its )');
    this.#depth -= 1;
    return node;
  }

  /** What follows a backslash: a kind of character, or a sign that stands for itself. */
  #escape(): Accepts {
    const char = this.#take();
    const kind = KINDS[char.toLowerCase()];
    if (kind !== undefined) return char in KINDS ? kind : (code) => !kind(code);
    if (/[A-Za-z0-9]/.test(char)) throw new TextPatternError(`\\${char} is not supported`);
    return only(char);
  }

  #class(): Accepts {
    const isOpposite = this.#skip('^');
    const items: Accepts[] = [];
    while (!this.#skip(']') || items.length === 0) items.push(this.#classItem());
    return (code) => items.some((accepts) => accepts(code)) !== isOpposite;
  }

  #classItem(): Accepts {
    const first = this.#take();
    if (first === '\\') return this.#escape();
    const isRange = this.#peek() === '-' && this.#chars[this.#at + 1] !== ']';
    if (!isRange) return only(first);
    this.#at += 1;
    const [low, high] = [codeOf(first), codeOf(this.#take())];
    if (high < low) throw new TextPatternError('a range of characters that ends before it begins');
    return (code) => code >= low && code <= high;
  }
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}

function only(char: string): Accepts {
  const wanted = codeOf(char);
  return (code) => code === wanted;
}

const isBetween = (code: number, low: string, high: string): boolean =>
  code >= codeOf(low) && code <= codeOf(high);

const KINDS: Readonly<Record<string, Accepts>> = {
  d: (code) => isBetween(code, '0', '9'),
  w: (code) =>
    isBetween(code, '0', '9') ||
    isBetween(code, 'a', 'z') ||
    isBetween(code, 'A', 'Z') ||
    code === codeOf('_'),
  s: (code) => code === 0x20 || (code >= 0x09 && code <= 0x0d),
};

interface Machine {
  readonly states: readonly State[];
  readonly first: number;
}

/** Writes the machine from its end: each part is told where to go on. */
function buildMachine(tree: Node): Machine {
  const states: State[] = [];
  const add = (state: State): number => {
    if (states.length >= TEXT_PATTERN_LIMITS.statesMax) throw new TextPatternError('too large');
    return states.push(state) - 1;
  };
  const write = (node: Node, next: number): number => {
    switch (node.kind) {
      case 'char':
        return add({ kind: 'read', accepts: node.accepts, next });
      case 'sequence':
        return node.parts.reduceRight((after, part) => write(part, after), next);
      case 'choice':
        return node.parts
          .map((part) => write(part, next))
          .reduce((other, first) => add({ kind: 'fork', next: first, other }));
      case 'repeat':
        return writeRepeat(node, next);
    }
  };
  const writeRepeat = (node: Extract<Node, { kind: 'repeat' }>, next: number): number => {
    let first = next;
    if (node.max === Number.POSITIVE_INFINITY) {
      const loop: State = { kind: 'fork', next, other: next };
      first = add(loop);
      loop.next = write(node.part, first);
    } else {
      for (let count = node.min; count < node.max; count += 1) {
        first = add({ kind: 'fork', next: write(node.part, first), other: next });
      }
    }
    // Each round costs a state, even one of nothing: what is nested can't take for ever to write.
    for (let count = 0; count < node.min; count += 1) {
      const body = write(node.part, first);
      first = add({ kind: 'fork', next: body, other: body });
    }
    return first;
  };
  const done = add({ kind: 'done' });
  return { states, first: write(tree, done) };
}

/** Goes through the text once, in all states that are possible at a time. */
function runs({ states, first }: Machine, text: string): boolean {
  let active = reachable(states, [first]);
  for (const char of text) {
    const code = codeOf(char);
    const next: number[] = [];
    for (const at of active) {
      const state = states[at];
      if (state?.kind === 'read' && state.accepts(code)) next.push(state.next);
    }
    if (next.length === 0) return false;
    active = reachable(states, next);
  }
  return [...active].some((at) => states[at]?.kind === 'done');
}

/** All states that are reached without reading. */
function reachable(states: readonly State[], from: number[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at = from.pop(); at !== undefined; at = from.pop()) {
    if (found.has(at)) continue;
    found.add(at);
    const state = states[at];
    if (state?.kind === 'fork') from.push(state.next, state.other);
  }
  return found;
}
