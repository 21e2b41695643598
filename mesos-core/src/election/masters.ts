import { type Clock, type Logger, type Random, SettingsError } from '@factory/runtime';
import { isZooKeeperUrl } from '../zookeeper/index.ts';
import type { Detector, Scheme } from './election.ts';
import { openZooKeeperElection } from './open.ts';

/** Where an agent or a scheduler finds the leading master. */
export interface Masters {
  /** Base URLs of all masters; empty with a detector. */
  readonly list: readonly string[];
  readonly detector: Detector | undefined;
  close(): Promise<void>;
}

const SESSION_TIMEOUT_MS = 10_000;

/**
 * The masters that a text names: `zk://host:port,host:port/path` is asked who leads, others are a list
 * of `host:port` or URLs.
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
  },
): Masters {
  const { scheme = 'http' } = options;
  if (!isZooKeeperUrl(text)) {
    return { list: parseMasters(text, scheme), detector: undefined, close: async () => undefined };
  }
  const { sessionTimeoutMs = SESSION_TIMEOUT_MS } = options;
  const { detector, close } = openZooKeeperElection({ ...options, url: text, sessionTimeoutMs });
  return { list: [], detector: withScheme(detector, scheme), close };
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
export function parseMasters(text: string, scheme: Scheme): readonly string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.map((part) => {
    const url = URL.parse(part.includes('://') ? part : `${scheme}://${part}`);
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new SettingsError([`--master: ${JSON.stringify(part)} is not host:port or a URL`]);
    }
    return url.origin;
  });
}
