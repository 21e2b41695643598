import {
  type Clock,
  createBackoff,
  type HttpTransport,
  type Random,
  sleep,
} from '@factory/runtime';
import { MasterOperatorClient } from 'mesos-core/client';
import type { FrameworkInfo, MasterResponseGetFrameworks } from 'mesos-core/protocol';

/** By this name the vm-scheduler registers, and is found again. */
export const FRAMEWORK_NAME = 'vm-scheduler';

const CALL_TIMEOUT_MS = 5_000;
const BACKOFF_BASE_MS = 200;
const BACKOFF_MAX_MS = 5_000;
/** A master notices in this time that a scheduler which died is gone. */
const DEATH_NOTICED_MS = 30_000;

/** As whom a vm-scheduler registers. */
export interface FrameworkOwner {
  readonly role: string;
  readonly principal: string;
}

/**
 * Finds the framework of a vm-scheduler whose store was lost: its tasks run on, and only as the same
 * framework can they be found. Resolves with `undefined` when there is none, or when another
 * scheduler lives as it; waits for a master as long as need be.
 */
export function createFrameworkFinder(
  options: FrameworkOwner & {
    readonly clock: Clock;
    readonly random: Random;
    readonly transport: HttpTransport;
    /** Base URLs of those that may lead now. */
    readonly masters: () => readonly string[];
  },
): (signal: AbortSignal) => Promise<string | undefined> {
  const { clock, random, transport, masters } = options;
  const ask = async (): Promise<MasterResponseGetFrameworks | undefined> => {
    for (const url of masters()) {
      const callTimeoutMs = CALL_TIMEOUT_MS;
      const client = new MasterOperatorClient({ transport, clock, url, callTimeoutMs });
      const answer = await client.call({ type: 'GET_FRAMEWORKS' }).catch(() => undefined);
      if (answer !== undefined) return answer.get_frameworks;
    }
    return undefined;
  };
  return async (signal) => {
    const backoff = createBackoff({ baseMs: BACKOFF_BASE_MS, maxMs: BACKOFF_MAX_MS, random });
    const startMs = clock.monotonicMs();
    for (;;) {
      const answer = await ask();
      const found = answer === undefined ? undefined : findFramework(answer, options);
      const isLate = clock.monotonicMs() - startMs > DEATH_NOTICED_MS;
      if (found?.kind === 'left') return found.frameworkId;
      if (found?.kind === 'none' || (found?.kind === 'alive' && isLate)) return undefined;
      await sleep(clock, backoff.nextMs(), signal);
    }
  };
}

/** What a master knows of the owner's frameworks: `left` by a scheduler, or one lives as it. */
type Found =
  | { readonly kind: 'none' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'left'; readonly frameworkId: string };

/** See {@link Found}; of several, the one registered last. Pure. */
export function findFramework(answer: MasterResponseGetFrameworks, owner: FrameworkOwner): Found {
  const isOurs = ({ name, principal, roles = [] }: FrameworkInfo): boolean =>
    name === FRAMEWORK_NAME && principal === owner.principal && roles.includes(owner.role);
  const ours = (answer.frameworks ?? []).filter((each) => isOurs(each.framework_info));
  const left = ours
    .filter(({ connected }) => !connected)
    .sort((a, b) => (b.registered_time?.nanoseconds ?? 0) - (a.registered_time?.nanoseconds ?? 0))
    .map(({ framework_info }) => framework_info);
  const recovered = (answer.recovered_frameworks ?? []).filter(isOurs);
  const frameworkId = [...left, ...recovered].find(({ id }) => id !== undefined)?.id?.value;
  if (frameworkId !== undefined) return { kind: 'left', frameworkId };
  return ours.length > 0 ? { kind: 'alive' } : { kind: 'none' };
}
