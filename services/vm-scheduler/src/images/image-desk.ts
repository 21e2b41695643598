import type { AgentStage, ImageOnHost, SchedulerMessage } from '@factory/contracts';
import type { Clock } from '@factory/runtime';
import { grantsFor, type Pull, pullKey } from './pull-grants.ts';

/** Executors repeat what they have every 30 s: one that is silent for longer pulls no more. */
const SILENT_MS = 75_000;
/** A host is asked again for what it was asked for this long ago. */
const STAGE_AGAIN_MS = 5_000;

interface Parts {
  readonly clock: Clock;
  readonly tell: (agentId: string, message: SchedulerMessage) => void;
  /** Images are to come to an agent of which no executor speaks. */
  readonly wake: (agentId: string) => void;
  /** Images, by version and name, that an agent has: VMs prefer it. */
  readonly noteImages: (agentId: string, images: Iterable<string>) => void;
  /** Copies at a time in this cluster. */
  readonly pullsMax: number;
}

interface Told {
  readonly images: readonly ImageOnHost[];
  readonly atMs: number;
}

/** What hosts have of images, what they should have, and whose copy comes next. Nothing is kept. */
export class ImageDesk {
  readonly #parts: Parts;
  readonly #told = new Map<string, Told>();
  /** By agent and version, in the order in which they began to wait. */
  readonly #pulls = new Map<string, Pull>();
  readonly #given = new Map<string, number>();
  readonly #stagedAtMs = new Map<string, number>();

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** An executor says what is on its host. */
  told(agentId: string, images: readonly ImageOnHost[]): void {
    const { clock, noteImages } = this.#parts;
    this.#told.set(agentId, { images, atMs: clock.monotonicMs() });
    const warm = images.filter(({ percent }) => percent === 100);
    noteImages(
      agentId,
      warm.flatMap(({ name, version }) => [name, version]),
    );
    this.#setPulls(
      agentId,
      images.filter(({ percent }) => percent < 100),
    );
    this.#grant();
  }

  /** All that is wanted on agents now; to be repeated for as long as it is wanted. */
  stage(stages: readonly AgentStage[]): void {
    const { clock, tell } = this.#parts;
    const nowMs = clock.monotonicMs();
    const lacking = new Map<string, { name: string; version: string }[]>();
    for (const { name, version, agentIds } of stages) {
      for (const agentId of agentIds) {
        if (!this.#told.has(agentId)) this.#parts.wake(agentId);
        const has = this.#told.get(agentId)?.images.some((each) => each.version === version);
        const key = pullKey({ agentId, version });
        const askedAtMs = this.#stagedAtMs.get(key) ?? Number.NEGATIVE_INFINITY;
        if (has === true || nowMs - askedAtMs < STAGE_AGAIN_MS) continue;
        this.#stagedAtMs.set(key, nowMs);
        lacking.set(agentId, [...(lacking.get(agentId) ?? []), { name, version }]);
      }
    }
    for (const [agentId, images] of lacking) tell(agentId, { type: 'stageImages', images });
  }

  /** What every agent's executor said last. */
  list(): readonly { readonly agentId: string; readonly images: readonly ImageOnHost[] }[] {
    return Array.from(this.#told, ([agentId, { images }]) => ({ agentId, images }));
  }

  /** Takes tickets back from those that are gone; to be called from time to time. */
  sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [agentId, { atMs }] of this.#told) {
      if (nowMs - atMs < SILENT_MS) continue;
      this.#told.delete(agentId);
      this.#setPulls(agentId, []);
    }
    for (const [key, atMs] of this.#stagedAtMs) {
      if (nowMs - atMs >= STAGE_AGAIN_MS) this.#stagedAtMs.delete(key);
    }
    this.#grant();
  }

  #setPulls(agentId: string, images: readonly ImageOnHost[]): void {
    const now = new Map(
      images.map(({ version, waits = false }) => [
        pullKey({ agentId, version }),
        { agentId, version, waits },
      ]),
    );
    for (const [key, pull] of this.#pulls) {
      if (pull.agentId !== agentId || now.has(key)) continue;
      this.#pulls.delete(key);
      this.#given.delete(key);
    }
    for (const [key, pull] of now) this.#pulls.set(key, pull);
  }

  #grant(): void {
    if (this.#pulls.size === 0) return;
    const { clock, tell, pullsMax } = this.#parts;
    const nowMs = clock.monotonicMs();
    for (const pull of grantsFor([...this.#pulls.values()], this.#given, pullsMax, nowMs)) {
      const key = pullKey(pull);
      if (!this.#given.has(key)) this.#given.set(key, nowMs);
      tell(pull.agentId, { type: 'pullTickets', versions: [pull.version] });
    }
  }
}
