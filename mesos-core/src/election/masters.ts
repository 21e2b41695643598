import { type Clock, type Logger, type Random, SettingsError } from '@factory/runtime';
import { textOrFile } from '../command-line.ts';
import { isZooKeeperUrl } from '../zookeeper/index.ts';
import type { Detector, Scheme } from './election.ts';
import { leadingOrigin } from './follow.ts';
import { openZooKeeperElection } from './open.ts';

/** Where an agent or a scheduler finds the leading master. */
export interface Masters {
  /** Base URLs of all masters; empty with a detector. */
  readonly list: readonly string[];
  readonly detector: Detector | undefined;
  /**
   * Base URLs to ask now: all of the list; the leader's, or none while nobody leads, with a detector.
   */
  candidates(): readonly string[];
  close(): Promise<void>;
}

const SESSION_TIMEOUT_MS = 10_000;

/**
 * The masters that a text names: `zk://host:port,host:port/path` is asked who leads, others are a list
 * of `host:port` or URLs. `file:///path` names a file with either, to keep a password apart.
 * @throws SettingsError when it is neither.
 */
export function openMasters(
  text: string,
  options: {
    readonly clock: Clock;
    readonly random: Random;
    readonly logger: Logger;
    readonly sessionTimeoutMs?: number;
    /** Of masters that are named without one. */
    readonly scheme?: Scheme;
    /** What errors call the setting; default `--master`. */
    readonly setting?: string;
  },
): Masters {
  const { scheme = 'http', setting = '--master' } = options;
  const url = textOrFile(setting, text);
  if (!isZooKeeperUrl(url)) {
    const list = parseMasters(url, scheme, setting);
    return { list, detector: undefined, candidates: () => list, close: async () => undefined };
  }
  const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
  const election = openZooKeeperElection({ ...options, url, sessionTimeoutMs });
  const detector = withScheme(election.detector, scheme);
  const candidates = () => {
    const origin = leadingOrigin(detector);
    return origin === undefined ? [] : [origin];
  };
  return { list: [], detector, candidates, close: election.close };
}

function withScheme(detector: Detector, scheme: Scheme): Detector {
  return {
    scheme,
    get leader() {
      return detector.leader;
    },
    watch: (listener) => detector.watch(listener),
  };
}

/**
 * Base URLs of the masters in a list.
 * @throws SettingsError when one is not a URL.
 */
export function parseMasters(
  text: string,
  scheme: Scheme,
  setting = '--master',
): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.map((part) => {
    const url = URL.parse(part.includes('://') ? part : `${scheme}://${part}`);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new SettingsError([`${setting}: ${JSON.stringify(part)} is not host:port or a URL`]);
    }
    return url.origin;
  });
}
