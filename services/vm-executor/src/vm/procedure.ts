/**
 * One durable or external step of a procedure. Idempotent both ways: cut off at any point, it is
 * simply taken again, in either direction. It hands the signal to every call that it makes.
 */
export interface Step<Context, Name extends string = string> {
  readonly name: Name;
  /** What is waited for while it runs, in words for people. */
  readonly waitsFor: string;
  readonly do: (context: Context, signal: AbortSignal) => Promise<void>;
  /** How to take it back, or why there is nothing to take back. */
  readonly undo:
    | ((context: Context, signal: AbortSignal) => Promise<void>)
    | { readonly none: string };
}

/** Steps that are taken one after the other. */
export interface Procedure<
  Context,
  Name extends string = string,
  StepName extends string = string,
> {
  readonly name: Name;
  readonly steps: readonly Step<Context, StepName>[];
}

/** Before and after each step a test may end the process, or fail. */
export interface FaultPoints {
  at(procedure: string, step: string, when: 'before' | 'after'): Promise<void>;
}

/** Nothing happens between the steps. */
export const noFaults: FaultPoints = { at: async () => undefined };

/** How a procedure is run. */
export interface Running {
  /** Once it has aborted, no further step is begun. */
  readonly signal: AbortSignal;
  readonly faults: FaultPoints;
  /** Hears which step is being taken. */
  readonly onStep?: (step: { readonly name: string; readonly waitsFor: string }) => void;
}

/**
 * Takes the steps in order.
 * @throws whatever the first failing step throws; the signal's reason when that has aborted, but
 * not before the step under way has settled.
 */
export async function runProcedure<Context>(
  { name, steps }: Procedure<Context>,
  context: Context,
  { signal, faults, onStep }: Running,
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    onStep?.(step);
    await faults.at(name, step.name, 'before');
    await step.do(context, signal);
    await faults.at(name, step.name, 'after');
  }
  signal.throwIfAborted();
}

/** The procedure that takes another one back, from its end; `first` comes before that. */
export function undoing<
  Context,
  Name extends string,
  First extends string,
  StepName extends string,
>(
  name: Name,
  first: readonly Step<Context, First>[],
  done: Procedure<Context, string, StepName>,
): Procedure<Context, Name, First | StepName> {
  const undos = done.steps.toReversed().flatMap(({ undo, ...step }) => {
    if (typeof undo !== 'function') return [];
    return [{ ...step, do: undo, undo: { none: 'what is removed is not brought back' } }];
  });
  return { name, steps: [...first, ...undos] };
}
