import type { Clock, Logger, Random } from '@factory/runtime';
import { parseZooKeeperUrl, type ZooKeeperOptions } from '../zookeeper/index.ts';
import type { Contender, Detector, Scheme } from './election.ts';
import { ZooKeeperSessions } from './sessions.ts';
import { ZooKeeperContender } from './zookeeper-contender.ts';
import { ZooKeeperDetector } from './zookeeper-detector.ts';

/** The ZooKeeper side of a process: one session for all that it does there. */
export interface ZooKeeperElection {
  readonly contender: Contender;
  readonly detector: Detector;
  readonly sessions: ZooKeeperSessions;
  /** Of the `zk://` URL. */
  readonly path: string;
  /** Ends the session: a candidacy is over at once. */
  close(): Promise<void>;
}

/**
 * Connects to the ensemble of a `zk://` URL and begins to look for the leader.
 * @throws SettingsError when the URL is none.
 */
export function openZooKeeperElection(options: {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly url: string;
  readonly sessionTimeoutMs: number;
  /** What whoever stands for election here is spoken to in; default `http`. */
  readonly scheme?: Scheme | undefined;
  readonly dial?: ZooKeeperOptions['dial'];
}): ZooKeeperElection {
  const { clock, random, logger, sessionTimeoutMs, scheme = 'http' } = options;
  const { path, ...ensemble } = parseZooKeeperUrl(options.url);
  const shared = { clock, random, logger };
  const dial = options.dial === undefined ? {} : { dial: options.dial };
  const sessions = new ZooKeeperSessions({ ...shared, ...ensemble, ...dial, sessionTimeoutMs });
  const detector = new ZooKeeperDetector({ ...shared, sessions, path });
  return {
    contender: new ZooKeeperContender({ ...shared, sessions, path }, scheme),
    detector,
    sessions,
    path,
    close: async () => {
      detector.close();
      await sessions.close();
    },
  };
}
