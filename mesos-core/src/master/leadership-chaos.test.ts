import { createHttpApp, silentLogger } from '@factory/runtime';
import { seededRandom, VirtualClock } from '@factory/runtime/simulated';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openZooKeeperElection, type ZooKeeperElection } from '../election/index.ts';
import { FakeZooKeeper } from '../zookeeper/testing/fake-zookeeper.ts';
import { Leadership } from './leadership.ts';
import { masterInfoOf } from './master-info.ts';
import { newRegistry } from './registry.ts';
import { ZooKeeperRegistryStore } from './registry-store/index.ts';

const MASTERS = 3;
const SESSION_TIMEOUT_MS = 6000;
/**
 * At worst the way to a leader's server heals just before that leader gives up: its session was
 * prolonged, and its node lives on for a whole timeout and a tick after the one that it gave up by.
 */
const LEADS_WITHIN_MS = 2 * (SESSION_TIMEOUT_MS + 2000);

interface Process {
  readonly name: string;
  readonly election: ZooKeeperElection;
  readonly leadership: Leadership;
}

/** Masters that start anew when they exit, as a supervisor has it. */
class Masters {
  readonly clock = new VirtualClock();
  readonly server = new FakeZooKeeper(this.clock);
  /** Who leads, or is about to: the registry is theirs. */
  readonly leading = new Set<string>();
  /** How many led at once, at most. */
  mostAtOnce = 0;
  /** How often the registry was loaded, as the registry says. */
  readonly starts: number[] = [];
  #processes: Process[] = [];
  #isOver = false;

  start(name: string): void {
    const shared = { clock: this.clock, random: seededRandom(name), logger: silentLogger };
    const election = openZooKeeperElection({
      ...shared,
      ...{ url: 'zk://fake:2181/mesos', sessionTimeoutMs: SESSION_TIMEOUT_MS },
      dial: this.server.dial(name),
    });
    const leadership = new Leadership({
      ...{ logger: silentLogger, contender: election.contender, detector: election.detector },
      info: masterInfoOf(name, { hostname: name, ip: '10.0.0.1', port: 5050 }),
      lead: () => this.#lead(name, election),
      serve: async () => undefined,
      onLost: () => this.#exit(name),
    });
    this.#processes.push({ name, election, leadership });
    leadership.start();
  }

  async close(): Promise<void> {
    this.#isOver = true;
    const all = this.#processes.flatMap(({ election, leadership }) => [
      leadership.close(),
      election.close(),
    ]);
    await Promise.all([...all, this.clock.run(3000)]);
  }

  async #lead(name: string, election: ZooKeeperElection) {
    this.leading.add(name);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.leading.size);
    const store = new ZooKeeperRegistryStore({
      ...{ client: election.sessions.current, path: '/mesos/registry' },
      ...{ random: seededRandom(`${name}/${this.starts.length}`), logger: silentLogger },
    });
    const { starts = 0, ...registry } = (await store.load()) ?? newRegistry('m');
    await store.save({ ...registry, starts: starts + 1 });
    this.starts.push(starts + 1);
    const app = createHttpApp({ service: 'master', clock: this.clock, logger: silentLogger });
    return {
      app,
      close: async () => undefined,
      lane: { attach: () => undefined },
      invariants: () => [],
    };
  }

  #exit(name: string): void {
    this.leading.delete(name);
    const process = this.#processes.find((each) => each.name === name);
    this.#processes = this.#processes.filter((each) => each !== process);
    void process?.election.close();
    if (!this.#isOver) this.clock.after(1000, () => this.start(name));
  }
}

const names = Array.from({ length: MASTERS }, (_, index) => `master-${index}`);
const step = fc.record({
  waitMs: fc.nat(9000),
  master: fc.constantFrom(...names),
  act: fc.constantFrom('cut', 'heal', 'dropConnections' as const),
});

describe('three masters whose ways to ZooKeeper come and go', () => {
  it('never lead two at a time, lose nothing of the registry, and one leads soon', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const masters = new Masters();
        for (const name of names) masters.start(name);
        await masters.clock.run(2000);
        for (const { waitMs, master, act } of steps) {
          if (act === 'dropConnections') masters.server.dropConnections();
          else masters.server[act](master);
          await masters.clock.run(waitMs);
        }
        for (const name of names) masters.server.heal(name);
        await masters.clock.run(LEADS_WITHIN_MS);
        expect(masters.mostAtOnce).toBe(1);
        expect([...masters.leading]).toHaveLength(1);
        expect(masters.starts).toEqual(masters.starts.map((_, index) => index + 1));
        await masters.close();
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
