import type { MasterInfo } from '../protocol/index.ts';
import type { Candidacy, Contender, Detector, Leader } from './election.ts';

interface Candidate extends Leader {
  readonly lose: (why: string) => void;
}

/**
 * An election in this process. With one candidate it is what a master without ZooKeeper uses; with
 * more it is the other implementation that tests use.
 */
export class MemoryElection implements Contender, Detector {
  readonly #listeners = new Set<(leader: Leader | undefined) => void>();
  #candidates: readonly Candidate[] = [];
  #count = 0;

  get leader(): Leader | undefined {
    const [first] = this.#candidates;
    return first === undefined ? undefined : { id: first.id, info: first.info };
  }

  async contend(info: MasterInfo, signal: AbortSignal): Promise<Candidacy> {
    signal.throwIfAborted();
    const id = `candidate-${this.#count}`;
    this.#count += 1;
    const { promise: lost, resolve: lose } = Promise.withResolvers<string>();
    this.#change([...this.#candidates, { id, info, lose }]);
    return { id, lost };
  }

  watch(listener: (leader: Leader | undefined) => void): () => void {
    this.#listeners.add(listener);
    queueMicrotask(() => {
      if (this.#listeners.has(listener)) listener(this.leader);
    });
    return () => this.#listeners.delete(listener);
  }

  /** Takes a candidacy away, as the end of a session does. */
  remove(id: string, why: string): void {
    const candidate = this.#candidates.find((each) => each.id === id);
    this.#change(this.#candidates.filter((each) => each.id !== id));
    candidate?.lose(why);
  }

  #change(candidates: readonly Candidate[]): void {
    const before = this.leader;
    this.#candidates = candidates;
    if (this.leader?.id === before?.id) return;
    for (const listener of [...this.#listeners]) listener(this.leader);
  }
}
