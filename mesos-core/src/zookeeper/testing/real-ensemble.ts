import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { freePorts } from '../../testing/free-ports.ts';
import { endProcess, spawnServer } from './server-process.ts';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const ANSWER_TIMEOUT_MS = 1000;

/** Short, so that the members soon notice each other's end; sessions last at least twice as long. */
const TICK_MS = 500;

interface Member {
  readonly number: number;
  readonly directory: string;
  readonly clientPort: number;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  process: ChildProcess | undefined;
}

/** Apache ZooKeeper as an ensemble of three on loopback, each member a child process of a test. */
export class RealEnsemble {
  readonly #directory: string;
  readonly #members: readonly Member[];

  /**
   * Starts the members with data directories of their own.
   * @throws DeadlineExceededError when they don't serve within a minute.
   */
  static async start(): Promise<RealEnsemble> {
    const directory = await mkdtemp(join(tmpdir(), 'ensemble-'));
    const numbers = [1, 2, 3];
    const ports = await freePorts(3 * numbers.length);
    const portsOf = (number: number) => ports.slice(3 * (number - 1), 3 * number);
    const quorum = numbers.map((number) => {
      const [, peers, election] = portsOf(number);
      return [`server.${number}`, `${HOST}:${peers}:${election}`] as const;
    });
    const members = numbers.map((number) => {
      const own = join(directory, String(number));
      const [clientPort = 0] = portsOf(number);
      const settings = {
        ...{ dataDir: own, clientPort, clientPortAddress: HOST, tickTime: TICK_MS },
        ...{ initLimit: 40, syncLimit: 10, '4lw.commands.whitelist': 'srvr,cons' },
        ...Object.fromEntries(quorum),
      };
      return { number, directory: own, clientPort, settings, process: undefined };
    });
    const ensemble = new RealEnsemble(directory, members);
    try {
      await ensemble.startMembers();
    } catch (error) {
      await ensemble.stop();
      throw error;
    }
    return ensemble;
  }

  private constructor(directory: string, members: readonly Member[]) {
    this.#directory = directory;
    this.#members = members;
  }

  /** `127.0.0.1:2181,127.0.0.1:2182,…` */
  get servers(): string {
    return this.#members.map(({ clientPort }) => `${HOST}:${clientPort}`).join(',');
  }

  /** Starts those that do not run, with what they had on disk; all serve when it resolves. */
  async startMembers(): Promise<void> {
    await Promise.all(
      this.#members.map(async (member) => {
        if (member.process !== undefined) return;
        await mkdir(member.directory, { recursive: true });
        await writeFile(join(member.directory, 'myid'), String(member.number));
        const file = join(member.directory, 'zoo.cfg');
        member.process = await spawnServer('member', file, member.settings);
      }),
    );
    await Promise.all(this.#members.map(untilItServes));
  }

  /** Number of the member that a session is connected to; `undefined` while it is to none. */
  async memberOf(sessionId: bigint): Promise<number | undefined> {
    const sid = `sid=0x${sessionId.toString(16)},`;
    const running = this.#members.filter((member) => member.process !== undefined);
    const answers = await Promise.all(running.map((member) => ask(member.clientPort, 'cons')));
    return running[answers.findIndex((answer) => answer.includes(sid))]?.number;
  }

  /** Kills members, as a crash of their machines does: nobody is told. */
  async kill(...numbers: readonly number[]): Promise<void> {
    const killed = this.#members.filter((member) => numbers.includes(member.number));
    await Promise.all(killed.map(stopMember));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(stopMember));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function stopMember(member: Member): Promise<void> {
  const { process } = member;
  member.process = undefined;
  if (process !== undefined) await endProcess(process);
}

/** It listens before it has found the others; what it is in the ensemble it says only then. */
async function untilItServes(member: Member): Promise<void> {
  await waitFor(systemClock, `member ${member.number} to serve`, START_TIMEOUT_MS, async () => {
    if (member.process?.exitCode !== null) throw new Error(`member ${member.number} ended`);
    return (await ask(member.clientPort, 'srvr')).includes('Mode: ') ? true : undefined;
  });
}

/** The answer to one of ZooKeeper's four-letter words; empty when there is none. */
function ask(port: number, word: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  const socket = createConnection({ host: HOST, port, timeout: ANSWER_TIMEOUT_MS });
  socket.once('connect', () => socket.write(word));
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.once('timeout', () => socket.destroy());
  socket.once('error', () => socket.destroy());
  socket.once('close', () => resolve(Buffer.concat(chunks).toString()));
  return promise;
}
