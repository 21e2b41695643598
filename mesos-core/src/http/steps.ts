/** Of so many elements something simple is done before others have a turn. */
const PER_STEP = 2000;

/**
 * The elements, with `undefined` between them where others may have a turn: for work on long lists
 * that is part of an answer (see `sendPieces`). Generators pass it on: `if (x === undefined) yield x`.
 */
export function* inSteps<T extends object>(
  lists: Iterable<readonly T[]>,
  perStep: number = PER_STEP,
): Generator<T | undefined> {
  let count = 0;
  for (const list of lists) {
    for (const element of list) {
      yield element;
      count += 1;
      if (count % perStep === 0) yield undefined;
    }
  }
}

/**
 * The first `max` of the elements in order, sorted without ever taking long at a time: short runs are
 * sorted, and merged two by two. Equal ones stay in the order they came in. Yields now and then.
 * @param elements as {@link inSteps} gives them.
 */
export function* firstInOrder<T extends object>(
  elements: Iterable<T | undefined>,
  compare: (a: T, b: T) => number,
  max: number,
): Generator<undefined, readonly T[]> {
  // Each run is made of twice as many as the one after it, so that each element is merged seldom.
  const runs: Run<T>[] = [];
  let fresh: T[] = [];
  const isMergeDue = (): boolean => {
    const [longer, shorter] = runs.slice(-2);
    return shorter !== undefined && longer !== undefined && longer.level === shorter.level;
  };
  for (const element of elements) {
    if (element === undefined) yield undefined;
    else fresh.push(element);
    if (fresh.length < PER_STEP) continue;
    runs.push({ level: 0, sorted: fresh.sort(compare).slice(0, max) });
    fresh = [];
    yield undefined;
    while (isMergeDue()) yield* mergeLast(runs, compare, max);
  }
  runs.push({ level: 0, sorted: fresh.sort(compare).slice(0, max) });
  while (runs.length > 1) yield* mergeLast(runs, compare, max);
  return runs[0]?.sorted ?? [];
}

interface Run<T> {
  /** How often it was merged. */
  readonly level: number;
  readonly sorted: readonly T[];
}

function* mergeLast<T extends object>(
  runs: Run<T>[],
  compare: (a: T, b: T) => number,
  max: number,
): Generator<undefined> {
  const [first, second] = runs.splice(-2);
  if (first === undefined || second === undefined) return;
  const sorted: T[] = [];
  let [i, j] = [0, 0];
  while (sorted.length < max) {
    const [a, b] = [first.sorted[i], second.sorted[j]];
    if (a !== undefined && (b === undefined || compare(a, b) <= 0)) {
      sorted.push(a);
      i += 1;
    } else if (b !== undefined) {
      sorted.push(b);
      j += 1;
    } else break;
    if (sorted.length % PER_STEP === 0) yield undefined;
  }
  runs.push({ level: Math.max(first.level, second.level) + 1, sorted });
}
