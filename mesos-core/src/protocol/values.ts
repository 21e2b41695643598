import type { ValueRange } from './messages.ts';

/** A text is not a value, resource or attribute; `message` is worded as Mesos does. */
export class ParseError extends Error {
  readonly code = 'MESOS_ERR_PARSE';
  constructor(message: string) {
    super(message);
    this.name = 'ParseError';
  }
}

/** What the text form of a value can mean. */
export type ParsedValue =
  | { readonly type: 'SCALAR'; readonly scalar: { readonly value: number } }
  | { readonly type: 'RANGES'; readonly ranges: { readonly range: readonly ValueRange[] } }
  | { readonly type: 'SET'; readonly set: { readonly item: readonly string[] } }
  | { readonly type: 'TEXT'; readonly text: { readonly value: string } };

/** Mesos counts scalars in thousandths, so that 0.1 + 0.2 is 0.3. */
const UNITS_PER_ONE = 1000;

/** A scalar in whole thousandths. Sums and differences of these are exact. */
export function toUnits(value: number): number {
  return Math.round(value * UNITS_PER_ONE);
}

/** The scalar of so many thousandths. */
export function fromUnits(units: number): number {
  return units / UNITS_PER_ONE;
}

/** a + b, exact to a thousandth. */
export function addScalars(a: number, b: number): number {
  return fromUnits(toUnits(a) + toUnits(b));
}

/** a - b, exact to a thousandth. */
export function subtractScalars(a: number, b: number): number {
  return fromUnits(toUnits(a) - toUnits(b));
}

/** The same numbers in as few ranges as can be, in order. Ranges include both ends. */
export function normalizeRanges(ranges: readonly ValueRange[]): readonly ValueRange[] {
  const sorted = ranges.filter(({ begin, end }) => begin <= end);
  sorted.sort((a, b) => a.begin - b.begin);
  const result: ValueRange[] = [];
  for (const range of sorted) {
    const last = result.at(-1);
    if (last === undefined || range.begin > last.end + 1) result.push(range);
    else if (range.end > last.end)
      result[result.length - 1] = { begin: last.begin, end: range.end };
  }
  return result;
}

/** The numbers in `a` or in `b`. */
export function addRanges(
  a: readonly ValueRange[],
  b: readonly ValueRange[],
): readonly ValueRange[] {
  return normalizeRanges([...a, ...b]);
}

/** The numbers in `a` and not in `b`. Looks at each range once: callers may send very many. */
export function subtractRanges(
  a: readonly ValueRange[],
  b: readonly ValueRange[],
): readonly ValueRange[] {
  const holes = normalizeRanges(b);
  const rest: ValueRange[] = [];
  let next = 0;
  for (const { begin, end } of normalizeRanges(a)) {
    let from = begin;
    while ((holes[next]?.end ?? Number.POSITIVE_INFINITY) < begin) next += 1;
    for (let hole = holes[next]; hole !== undefined && hole.begin <= end; hole = holes[next]) {
      if (hole.begin > from) rest.push({ begin: from, end: hole.begin - 1 });
      from = hole.end + 1;
      // One that reaches further is a hole of the next range, too.
      if (hole.end > end) break;
      next += 1;
    }
    if (from <= end) rest.push({ begin: from, end });
  }
  return rest;
}

/** Whether every number in `b` is in `a`. */
export function containsRanges(a: readonly ValueRange[], b: readonly ValueRange[]): boolean {
  const whole = normalizeRanges(a);
  let at = 0;
  return normalizeRanges(b).every((part) => {
    while ((whole[at]?.end ?? Number.POSITIVE_INFINITY) < part.begin) at += 1;
    const range = whole[at];
    return range !== undefined && range.begin <= part.begin && part.end <= range.end;
  });
}

/** How many numbers the ranges hold. */
export function countRanges(ranges: readonly ValueRange[]): number {
  return normalizeRanges(ranges).reduce((sum, { begin, end }) => sum + end - begin + 1, 0);
}

/** The items in `a` or in `b`, each once. */
export function addSets(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])];
}

/** The items in `a` and not in `b`. */
export function subtractSets(a: readonly string[], b: readonly string[]): readonly string[] {
  const gone = new Set(b);
  return [...new Set(a)].filter((item) => !gone.has(item));
}

/** Whether every item of `b` is in `a`. */
export function containsSets(a: readonly string[], b: readonly string[]): boolean {
  const whole = new Set(a);
  return b.every((item) => whole.has(item));
}

/** `63.9`, as Mesos prints scalars: at most three decimals. */
export function formatScalar(value: number): string {
  return String(fromUnits(toUnits(value)));
}

/** `[1-3, 7-7]`. */
export function formatRanges(ranges: readonly ValueRange[]): string {
  return `[${ranges.map(({ begin, end }) => `${begin}-${end}`).join(', ')}]`;
}

/** `{a, b}`. */
export function formatSet(items: readonly string[]): string {
  return `{${items.join(', ')}}`;
}

/**
 * Reads `2.5`, `[31000-32000, 5-5]`, `{a, b}` or any other text.
 * @throws ParseError when brackets or numbers in them are wrong.
 */
export function parseValue(text: string): ParsedValue {
  const trimmed = text.trim();
  if (trimmed === '') throw new ParseError('Expecting non-empty string');
  const inner = trimmed.slice(1, -1);
  switch (trimmed[0]) {
    case '[':
      if (!trimmed.endsWith(']')) throw new ParseError('Mismatched brackets in ranges');
      return { type: 'RANGES', ranges: { range: parseRanges(inner) } };
    case '{':
      if (!trimmed.endsWith('}')) throw new ParseError('Mismatched braces in set');
      return { type: 'SET', set: { item: parseSet(inner) } };
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) {
    return { type: 'TEXT', text: { value: trimmed } };
  }
  return { type: 'SCALAR', scalar: { value: fromUnits(toUnits(Number(trimmed))) } };
}

function parseRanges(inner: string): readonly ValueRange[] {
  if (inner.trim() === '') return [];
  const ranges = inner.split(',').map((part) => {
    const match = /^\s*(\d+)\s*-\s*(\d+)\s*$/.exec(part);
    if (match === null) throw new ParseError(`Expecting one or more "ranges": '${part.trim()}'`);
    const range = { begin: Number(match[1]), end: Number(match[2]) };
    if (range.begin > range.end) throw new ParseError(`Invalid range: [${part.trim()}]`);
    return range;
  });
  return normalizeRanges(ranges);
}

function parseSet(inner: string): readonly string[] {
  if (inner.trim() === '') return [];
  return addSets(
    inner.split(',').map((item) => item.trim()),
    [],
  );
}
