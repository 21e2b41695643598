import type { VmReason } from '@factory/contracts';
import { type Clock, type Random, randomInteger, sleep } from '@factory/runtime';
import { VmFailure } from './failures.ts';

/** How a call goes wrong. */
export const FAULT_KINDS = [
  /** It is refused, and nothing was done. */
  'failsBefore',
  /** All of it was done, and its caller hears of a failure. */
  'failsAfter',
  /** Nothing is done, and nobody answers. */
  'hangsBefore',
  /** All of it was done, and nobody answers. */
  'hangsAfter',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** How ports go wrong. */
export interface FaultyOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Of each call of each method: from 0 to 1. Asked anew for every call. */
  readonly rate: () => number;
  /** What failures give as their reason, one of them each time. */
  readonly reasons: readonly VmReason[];
  /** Hears of every fault. */
  readonly onFault?: (method: string, kind: FaultKind) => void;
}

/** Methods that answer at once, and so throw at once. */
const AT_ONCE: ReadonlySet<string> = new Set([
  'start',
  'identify',
  'isOwn',
  'paths',
  'watchConsole',
]);
/** What hangs and can't be told to end, ends by itself: adapters have deadlines of their own. */
const HANG_MAX_MS = 60_000;

/**
 * The port, of which every method fails now and then, without exception: before it has done its
 * work or after, at once or by hanging until its signal aborts. Half of the failures are transient.
 */
export function faulty<T extends object>(port: T, options: FaultyOptions): T {
  return new Proxy(port, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function' || typeof name !== 'string') return member;
      return (...given: unknown[]): unknown => {
        const call = (): unknown => Reflect.apply(member, target, given);
        const { random, rate, onFault } = options;
        if (random.next() >= rate()) return call();
        const kind = FAULT_KINDS[randomInteger(random, FAULT_KINDS.length)] ?? 'failsBefore';
        onFault?.(name, kind);
        return goWrong(name, kind, call, given, options);
      };
    },
  });
}

function goWrong(
  name: string,
  kind: FaultKind,
  call: () => unknown,
  given: readonly unknown[],
  options: FaultyOptions,
): unknown {
  const failure = failureOf(name, options);
  const isLate = kind === 'failsAfter' || kind === 'hangsAfter';
  const done = isLate ? call() : undefined;
  if (AT_ONCE.has(name)) throw failure;
  const isHung = kind === 'hangsBefore' || kind === 'hangsAfter';
  const signal = given.find((each) => each instanceof AbortSignal);
  const fail = async (): Promise<never> => {
    await done;
    if (isHung) await untilAborted(options.clock, signal);
    throw failure;
  };
  return fail();
}

async function untilAborted(clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return sleep(clock, HANG_MAX_MS);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  await promise;
}

function failureOf(name: string, { random, reasons }: FaultyOptions): VmFailure {
  const reason = reasons[randomInteger(random, reasons.length)] ?? 'HYPERVISOR_ERROR';
  const isTransient = random.next() < 0.5;
  return new VmFailure(reason, `${name} failed (simulated)`, { isTransient });
}
