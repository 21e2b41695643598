import type { MasterInfo } from '../protocol/index.ts';

/** A master that leads, as the others see it. */
export interface Leader {
  /** Of its candidacy: no two candidacies ever have the same. */
  readonly id: string;
  readonly info: MasterInfo;
  /** What it is spoken to in, when it says so: a master of ours with TLS does. */
  readonly scheme?: Scheme | undefined;
}

/** A master's standing for election, from when it is announced until it is lost. */
export interface Candidacy {
  readonly id: string;
  /**
   * Resolves with the reason when the candidacy is over, or may be as far as this process can know:
   * from then on another may lead.
   */
  readonly lost: Promise<string>;
}

/** Stands for election. */
export interface Contender {
  /**
   * Announces a candidacy, for as long as it takes.
   * @throws the signal's reason when `signal` aborts.
   */
  contend(info: MasterInfo, signal: AbortSignal): Promise<Candidacy>;
}

/** Whether masters speak TLS. */
export type Scheme = 'http' | 'https';

/** Finds out who leads. */
export interface Detector {
  /**
   * How this side speaks to masters. With `https` it does so with all of them, since a node without a
   * scheme says nothing; with `http` (default) only with those that say `https`.
   */
  readonly scheme?: Scheme;
  /** Who leads as far as is known; `undefined` when nobody does or it is not known yet. */
  readonly leader: Leader | undefined;
  /**
   * Calls `listener` whenever another leads or nobody does, and soon after this call with who leads
   * now. @returns ends it.
   */
  watch(listener: (leader: Leader | undefined) => void): () => void;
}
