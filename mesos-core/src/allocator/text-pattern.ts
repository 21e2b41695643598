/** A pattern is not one that is supported, in words for whoever wrote it. */
export class PatternError extends Error {
  readonly code = 'MESOS_ERR_PATTERN';
  constructor(message: string) {
    super(message);
    this.name = 'PatternError';
  }
}

/** States of the machine that a pattern may need: repetitions are written out, so they count. */
const STATES_MAX = 500;
/** Parts that are written on the way there: repetitions of nothing make no state. */
const PARTS_MAX = 20_000;
const LENGTH_MAX = 4_096;
const REPEAT_MAX = 1_000;
const DEPTH_MAX = 100;

type Test = (code: number) => boolean;

/** What one state of the machine does; `next` and `other` are indices of states. */
type State =
  | { readonly type: 'char'; readonly test: Test; next: number }
  | { readonly type: 'split'; next: number; other: number }
  | { readonly type: 'start' | 'end'; next: number }
  | { readonly type: 'match' };

type Node =
  | { readonly type: 'char'; readonly test: Test }
  | { readonly type: 'start' | 'end' | 'empty' }
  | { readonly type: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly type: 'repeat'; readonly part: Node; readonly min: number; readonly max: number };

/**
 * Compiles a regular expression in RE2's syntax, as offer constraints have it: matching takes time
 * in proportion to the text and the pattern, whatever they are (Thompson's construction, "Regular
 * Expression Search Algorithm", CACM 1968), as patterns come from frameworks and are matched in the
 * master. Supported: literals, `.`, classes, `\d \w \s` and their opposites, groups (without
 * captures), `|`, `* + ? {n,m}` (greedy or not, which makes no difference), `^`, `$`.
 * @throws PatternError for what RE2 refuses too (backreferences, lookaround), what is not supported,
 *   and what is too large.
 */
export function compilePattern(pattern: string): TextPattern {
  if (pattern.length > LENGTH_MAX) throw new PatternError('pattern too large');
  const program = new Program().compile(new PatternReader(pattern).read());
  return { states: program.states.length, matches: (text) => matches(program, text) };
}

export interface TextPattern {
  /** How large its machine is: a text takes time in proportion to that. */
  readonly states: number;
  /** Whether the whole text fits. */
  readonly matches: (text: string) => boolean;
}

/** Reads a pattern into a tree. */
class PatternReader {
  readonly #chars: readonly string[];
  #position = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#chars = [...pattern];
  }

  read(): Node {
    const node = this.#choice();
    if (this.#peek() !== undefined) throw new PatternError('unexpected )');
    return node;
  }

  #peek(): string | undefined {
    return this.#chars[this.#position];
  }

  #take(): string {
    const char = this.#chars[this.#position];
    if (char === undefined) throw new PatternError('unexpected end of the pattern');
    this.#position += 1;
    return char;
  }

  #accept(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#position += 1;
    return true;
  }

  #choice(): Node {
    const parts = [this.#sequence()];
    while (this.#accept('|')) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] ?? { type: 'empty' }) : { type: 'choice', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let next = this.#peek(); next !== undefined && next !== '|' && next !== ')'; ) {
      parts.push(this.#repeated());
      next = this.#peek();
    }
    return { type: 'sequence', parts };
  }

  #repeated(): Node {
    const part = this.#single();
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    this.#accept('?');
    if (this.#bounds() !== undefined) throw new PatternError('bad repetition operator');
    return { type: 'repeat', part, ...bounds };
  }

  #bounds(): { readonly min: number; readonly max: number } | undefined {
    if (this.#accept('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#accept('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#accept('?')) return { min: 0, max: 1 };
    const rest = this.#chars.slice(this.#position, this.#position + 16).join('');
    const match = /^\{(\d+)(,(\d*))?\}/.exec(rest);
    if (match === null) return undefined;
    this.#position += match[0].length;
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : Number(match[3] || Number.POSITIVE_INFINITY);
    if (min > REPEAT_MAX || (max !== Number.POSITIVE_INFINITY && max > REPEAT_MAX) || max < min) {
      throw new PatternError('bad repetition count');
    }
    return { min, max };
  }

  #single(): Node {
    const char = this.#take();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return { type: 'char', test: this.#class() };
      case '.':
        return { type: 'char', test: (code) => code !== 0x0a };
      case '^':
        return { type: 'start' };
      case '$':
        return { type: 'end' };
      case '\\':
        return this.#escaped();
      case '*':
      case '+':
      case '?':
        throw new PatternError(`no argument for repetition operator: ${char}`);
      default:
        return { type: 'char', test: equals(char) };
    }
  }

  #group(): Node {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new PatternError('nested too deeply');
    if (this.#accept('?') && !this.#accept(':')) {
      // Lookaround, named groups, flags.
      throw new PatternError('invalid or unsupported group: (?');
    }
    const node = this.#choice();
    if (!this.#accept(')')) throw new PatternError('missing )');
    this.#depth -= 1;
    return node;
  }

  #escaped(): Node {
    const char = this.#take();
    if (char === 'A') return { type: 'start' };
    if (char === 'z') return { type: 'end' };
    return { type: 'char', test: escapeTest(char) };
  }

  #class(): Test {
    const isNegated = this.#accept('^');
    const tests: Test[] = [];
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      tests.push(this.#classItem());
    }
    this.#take();
    return tabulated((code) => tests.some((test) => test(code)) !== isNegated);
  }

  #classItem(): Test {
    const first = this.#take();
    if (first === '[' && this.#peek() === ':') throw new PatternError('unsupported class [:');
    if (first === '\\' && !isEscapedLiteral(this.#peek())) return escapeTest(this.#take());
    const low = codeOf(first === '\\' ? this.#take() : first);
    if (this.#peek() !== '-' || this.#chars[this.#position + 1] === ']')
      return (code) => code === low;
    this.#take();
    const last = this.#take();
    const high = codeOf(last === '\\' ? this.#take() : last);
    if (high < low) throw new PatternError('invalid character class range');
    return (code) => code >= low && code <= high;
  }
}

/** Looks codes of ASCII up: a class may be long. */
function tabulated(test: Test): Test {
  const ascii = Array.from({ length: 128 }, (_, code) => test(code));
  return (code) => ascii[code] ?? test(code);
}

function codeOf(char: string): number {
  return char.codePointAt(0) ?? 0;
}

function equals(char: string): Test {
  const wanted = codeOf(char);
  return (code) => code === wanted;
}

function isEscapedLiteral(char: string | undefined): boolean {
  return char !== undefined && !/[A-Za-z0-9]/.test(char);
}

const CONTROL = new Map([
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
]);

/** What follows a backslash: a class, a control character, or itself when it is punctuation. */
function escapeTest(char: string): Test {
  const control = CONTROL.get(char);
  if (control !== undefined) return (code) => code === control;
  switch (char) {
    case 'd':
      return isDigit;
    case 'D':
      return (code) => !isDigit(code);
    case 'w':
      return isWord;
    case 'W':
      return (code) => !isWord(code);
    case 's':
      return isSpace;
    case 'S':
      return (code) => !isSpace(code);
  }
  // Backreferences, word boundaries, Unicode classes.
  if (!isEscapedLiteral(char)) throw new PatternError(`invalid escape sequence: \\${char}`);
  return equals(char);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isWord(code: number): boolean {
  const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return isLetter || isDigit(code) || code === 0x5f;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 9 || code === 10 || code === 12 || code === 13;
}

/** Writes the machine from its end: each part is told where to go on. */
class Program {
  readonly #states: State[] = [];
  #parts = 0;

  compile(node: Node): { readonly states: readonly State[]; readonly first: number } {
    const match = this.#add({ type: 'match' });
    const first = this.#write(node, match);
    return { states: this.#states, first };
  }

  #add(state: State): number {
    if (this.#states.length >= STATES_MAX) throw new PatternError('pattern too large');
    return this.#states.push(state) - 1;
  }

  #write(node: Node, next: number): number {
    this.#parts += 1;
    if (this.#parts > PARTS_MAX) throw new PatternError('pattern too large');
    switch (node.type) {
      case 'char':
        return this.#add({ type: 'char', test: node.test, next });
      case 'start':
      case 'end':
        return this.#add({ type: node.type, next });
      case 'empty':
        return next;
      case 'sequence':
        return node.parts.reduceRight((after, part) => this.#write(part, after), next);
      case 'choice':
        return node.parts
          .map((part) => this.#write(part, next))
          .reduce((other, first) => this.#add({ type: 'split', next: first, other }));
      case 'repeat':
        return this.#repeat(node, next);
    }
  }

  #repeat({ part, min, max }: Extract<Node, { type: 'repeat' }>, next: number): number {
    let first = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop: State = { type: 'split', next, other: next };
      first = this.#add(loop);
      loop.other = this.#write(part, first);
    } else {
      for (let count = min; count < max; count += 1) {
        first = this.#add({ type: 'split', next: this.#write(part, first), other: next });
      }
    }
    for (let count = 0; count < min; count += 1) first = this.#write(part, first);
    return first;
  }
}

/** Goes through the text once, in all states that are possible at a time. */
function matches(
  { states, first }: { readonly states: readonly State[]; readonly first: number },
  text: string,
): boolean {
  const chars = [...text];
  let active = follow(states, [first], chars.length === 0, true);
  for (const [index, char] of chars.entries()) {
    const code = codeOf(char);
    const reached: number[] = [];
    for (const at of active) {
      const state = states[at];
      if (state?.type === 'char' && state.test(code)) reached.push(state.next);
    }
    if (reached.length === 0) return false;
    active = follow(states, reached, index === chars.length - 1, false);
  }
  return [...active].some((at) => states[at]?.type === 'match');
}

/** All states that are reached without reading on. */
function follow(
  states: readonly State[],
  from: readonly number[],
  isEnd: boolean,
  isStart: boolean,
): ReadonlySet<number> {
  const reached = new Set<number>();
  const open = [...from];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (reached.has(at)) continue;
    reached.add(at);
    const state = states[at];
    if (state?.type === 'split') open.push(state.next, state.other);
    if (state?.type === 'start' && isStart) open.push(state.next);
    if (state?.type === 'end' && isEnd) open.push(state.next);
  }
  return reached;
}
