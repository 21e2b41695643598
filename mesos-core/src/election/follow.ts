import { type Clock, sleep } from '@factory/runtime';
import type { Detector, Leader } from './election.ts';
import { hostAndPort, ipAndPort } from './master-nodes.ts';

/** Base URL of the master that leads as far as is known: `http://10.0.0.1:5050`. */
export function leadingOrigin(detector: Detector): string | undefined {
  return detector.leader === undefined ? undefined : originOf(detector, detector.leader);
}

/**
 * Waits until somebody leads.
 * @returns the leader's base URL.
 * @throws the signal's reason when `signal` aborts.
 */
export function untilSomebodyLeads(detector: Detector, signal: AbortSignal): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const stop = detector.watch((leader) => {
    if (leader !== undefined) resolve(originOf(detector, leader));
  });
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return promise.finally(() => {
    stop();
    signal.removeEventListener('abort', onAbort);
  });
}

/**
 * Calls `listener` once, as soon as another than the master at `origin` leads. That nobody leads is
 * no reason to leave a master: it ends by itself what it may not go on with.
 * @returns ends it.
 */
export function whenAnotherLeads(
  detector: Detector,
  origin: string,
  listener: () => void,
): () => void {
  const stop = detector.watch((leader) => {
    if (leader === undefined || originOf(detector, leader) === origin) return;
    stop();
    listener();
  });
  return stop;
}

/**
 * Waits before the next attempt to reach a master. With a detector that ends as soon as another than
 * the one at `origin` leads, which may be now. Ends early, without an error, when `signal` aborts.
 */
export async function pauseForNextAttempt(
  clock: Clock,
  pauseMs: number,
  signal: AbortSignal,
  following: { readonly detector: Detector | undefined; readonly origin: string },
): Promise<void> {
  const { detector, origin } = following;
  const leader = detector && leadingOrigin(detector);
  if (leader !== undefined && leader !== origin) return;
  const wake = new AbortController();
  const stop = detector && whenAnotherLeads(detector, origin, () => wake.abort());
  await sleep(clock, pauseMs, AbortSignal.any([signal, wake.signal])).catch(() => undefined);
  stop?.();
}

/**
 * By its address: names need not mean the same here as at the master, as in Mesos' own clients. With
 * TLS by its name, which is what certificates are made out to.
 */
function originOf(detector: Detector, { info, scheme }: Leader): string {
  const isSecure = detector.scheme === 'https' || scheme === 'https';
  return isSecure ? `https://${hostAndPort(info)}` : `http://${ipAndPort(info)}`;
}
