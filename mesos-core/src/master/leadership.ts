import type { Logger } from '@factory/runtime';
import {
  type Candidacy,
  type Contender,
  type Detector,
  hostAndPort,
  type Leader,
} from '../election/index.ts';
import type { MasterInfo } from '../protocol/index.ts';
import type { Master } from './index.ts';
import type { LeaderView } from './standby.ts';

export interface LeadershipOptions {
  readonly logger: Logger;
  readonly contender: Contender;
  readonly detector: Detector;
  /** This master, as others are to reach it. */
  readonly info: MasterInfo;
  /** Makes the master that leads; reads the registry, which must not be read before. */
  readonly lead: () => Promise<Master>;
  /** Requests go to the master from now on. */
  readonly serve: (master: Master) => Promise<void>;
  /** This master leads no more, or can't: the process must end before it does anything else. */
  readonly onLost: (why: string) => void;
}

/**
 * The life of a master process: it stands for election, waits, leads when it is elected, and is over
 * when it leads no more. It never goes back from leading to waiting: what it knows would be old.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #stopping = new AbortController();
  #phase: 'standby' | 'elected' | 'leading' | 'over' = 'standby';
  #candidacy: Candidacy | undefined;
  #taking: Promise<Master | undefined> | undefined;
  #stopWatching: () => void = () => undefined;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** Who leads, for a standby's answers. */
  get view(): LeaderView {
    if (this.#phase !== 'standby') return { type: 'this' };
    const { leader } = this.#options.detector;
    if (leader === undefined) return { type: 'nobody' };
    if (leader.id === this.#candidacy?.id) return { type: 'this' };
    // A node that an earlier process left at this address, or this one in an earlier session: to send
    // callers there would be to send them here.
    if (hostAndPort(leader.info) === hostAndPort(this.#options.info)) return { type: 'nobody' };
    return { type: 'another', leader };
  }

  /** Stands for election. */
  start(): void {
    this.#stopWatching = this.#options.detector.watch((leader) => this.#onLeader(leader));
    void this.#standForElection();
  }

  /** Leads no more; the process goes on to end in good order. */
  async close(): Promise<void> {
    this.#phase = 'over';
    this.#stopWatching();
    this.#stopping.abort(new Error('the master is closing'));
    const master = await this.#taking;
    await master?.close();
  }

  async #standForElection(): Promise<void> {
    const { contender, detector, info, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const candidacy = await contender.contend(info, signal).catch(() => undefined);
      // It tries for ever, until this master closes.
      if (candidacy === undefined || signal.aborted) return;
      this.#candidacy = candidacy;
      this.#onLeader(detector.leader);
      const why = await candidacy.lost;
      this.#candidacy = undefined;
      if (this.#phase !== 'standby') {
        this.#lose(why);
        return;
      }
      logger.warn({ why }, 'lost the candidacy as a standby; standing for election again');
    }
  }

  #onLeader(leader: Leader | undefined): void {
    const isThis = leader !== undefined && leader.id === this.#candidacy?.id;
    if (this.#phase === 'standby') {
      if (isThis) this.#taking = this.#takeUp(leader);
      return;
    }
    if (leader !== undefined && !isThis) this.#lose(`another master leads: ${leader.id}`);
  }

  async #takeUp(leader: Leader): Promise<Master | undefined> {
    const { lead, serve, logger } = this.#options;
    this.#phase = 'elected';
    logger.info({ id: leader.id }, 'elected as the leading master');
    try {
      const master = await lead();
      if (this.#phase !== 'elected') return master;
      await serve(master);
      this.#phase = 'leading';
      logger.info({ id: leader.id }, 'leading');
      return master;
    } catch (error) {
      logger.error({ err: error }, 'could not take up the leadership');
      this.#lose('it could not take up the leadership');
      return undefined;
    }
  }

  #lose(why: string): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#stopWatching();
    this.#options.onLost(why);
  }
}
