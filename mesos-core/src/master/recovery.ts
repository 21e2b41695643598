import type { MasterCore } from './core.ts';

/** What a new master expects of the agents that the last one knew. */
export class Recovery {
  readonly #core: MasterCore;
  /** How many the last master knew. */
  readonly #expected: number;
  #isChecked = false;
  #isOfferingHeld: boolean;

  constructor(core: MasterCore) {
    this.#core = core;
    const { agents, quotas = [] } = core.registry;
    this.#expected = agents.filter(({ state }) => state === 'admitted').length;
    this.#isOfferingHeld = quotas.length > 0;
  }

  /**
   * Whether nothing may be offered yet: there is quota, and too few agents are back to tell what roles
   * have of it already. Mesos' allocator waits likewise.
   */
  get isOfferingHeld(): boolean {
    if (!this.#isOfferingHeld) return false;
    const { state, settings, clock, startedMonotonicMs } = this.#core;
    const needed = Math.ceil(this.#expected * settings.allocatorAgentRecoveryFactor);
    const waitedMs = clock.monotonicMs() - startedMonotonicMs;
    this.#isOfferingHeld =
      state.agents.size < needed && waitedMs < settings.allocatorRecoveryTimeoutMs;
    return this.#isOfferingHeld;
  }

  /**
   * When the time for agents to come back is over: ends the master if too many have not, rather than
   * declare a cluster unreachable that may only be cut off from it.
   * @returns whether those that are absent may be declared unreachable.
   */
  mayGiveUp(absent: number): boolean {
    if (this.#isChecked) return true;
    const { settings, onFatal } = this.#core;
    const { recoveryAgentRemovalLimit: limit, agentReregisterTimeoutMs } = settings;
    const problem = removalProblem(this.#expected, absent, limit);
    this.#isChecked = problem === undefined;
    if (problem !== undefined) onFatal(`After ${agentReregisterTimeoutMs / 1000} s ${problem}`);
    return this.#isChecked;
  }
}

/** Why so many absent agents are too many, or `undefined`. Pure. */
export function removalProblem(
  expected: number,
  absent: number,
  limit: number,
): string | undefined {
  if (absent <= expected * limit) return undefined;
  const percent = (part: number): string => `${Math.round(part * 1000) / 10}%`;
  return (
    `${absent} (${percent(absent / expected)}) of the agents in the registry did not come back; ` +
    `--recovery_agent_removal_limit is ${percent(limit)}`
  );
}
