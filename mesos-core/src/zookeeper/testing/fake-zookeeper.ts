import { type Duplex, duplexPair } from 'node:stream';
import type { Clock, Timer } from '@factory/runtime';
import { statusOf, ZooKeeperError } from '../errors.ts';
import { FrameReader, JuteReader, JuteWriter } from '../jute.ts';
import { CREATE_FLAGS, OPERATIONS, XIDS } from '../protocol.ts';
import { parentOf, Tree } from './tree.ts';

interface Session {
  readonly id: bigint;
  readonly timeoutMs: number;
  timer: Timer | undefined;
  socket: Duplex | undefined;
}

/** Session timeouts are cut to these, as a server with a tickTime of 2 s does. */
const TIMEOUT_MIN_MS = 4000;
const TIMEOUT_MAX_MS = 40_000;
/** The real one looks for expired sessions at whole ticks only. */
const TICK_MS = 500;

/**
 * A ZooKeeper server in memory, on any clock, that speaks the real protocol. It passes the contract
 * that the real one passes (zookeeper.contract.ts). Connections can be cut, silently or not.
 */
export class FakeZooKeeper {
  readonly tree = new Tree();
  readonly #clock: Clock;
  readonly #sessions = new Map<bigint, Session>();
  readonly #watches = new Map<string, Set<Duplex>>();
  readonly #sockets = new Map<Duplex, string>();
  /** What did not pass since they were cut, by name. */
  readonly #cut = new Map<string, (() => void)[]>();
  readonly #requestsLeft = new Map<bigint, number>();
  #lastSession = 0n;
  /** Requests of this operation are carried out, and then the connection breaks. */
  breakAfter: number | undefined;
  /**
   * At a request of this operation the connection breaks, and it is carried out when somebody syncs or
   * a second later: as one that a member of an ensemble has passed on before it died.
   */
  breakBefore: number | undefined;
  #underWay: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The way to the server for the client called `name`; for `ZooKeeperOptions.dial`. */
  dial(name: string): () => Duplex {
    return () => {
      const [client, server] = duplexPair();
      // The ends of a pair know nothing of each other's destruction.
      server.once('close', () => client.destroy());
      client.once('close', () => server.destroy());
      this.#serve(name, server);
      return client;
    };
  }

  /** As a firewall that drops everything: nothing passes, nobody is told. */
  cut(name: string): void {
    if (!this.#cut.has(name)) this.#cut.set(name, []);
  }

  /** What was sent meanwhile comes now, in order: TCP sends it again, and leaves nothing out. */
  heal(name: string): void {
    const held = this.#cut.get(name) ?? [];
    this.#cut.delete(name);
    for (const pass of held) pass();
  }

  /** Does it now, or when the way to `name` is there again. */
  #pass(name: string, act: () => void): void {
    const held = this.#cut.get(name);
    if (held === undefined) act();
    else held.push(act);
  }

  /** Ends all connections; the sessions live on. */
  dropConnections(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Ends a session as if it had timed out. */
  expire(sessionId: bigint): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    session.timer?.cancel();
    this.#sessions.delete(sessionId);
    session.socket?.destroy();
    for (const path of this.tree.ownedBy(sessionId)) {
      this.tree.delete(path, -1);
      this.#notify(path, parentOf(path));
    }
  }

  /** The session's process dies after so many more requests. */
  dieAfter(sessionId: bigint, requests: number): void {
    this.#requestsLeft.set(sessionId, requests);
  }

  #serve(name: string, socket: Duplex): void {
    const frames = new FrameReader();
    let session: Session | undefined;
    this.#sockets.set(socket, name);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
    const read = (chunk: Buffer): void => {
      if (socket.destroyed) return;
      for (const frame of frames.push(chunk)) {
        const reader = new JuteReader(frame);
        if (session === undefined) session = this.#open(socket, reader);
        else this.#handle(session, socket, reader);
      }
    };
    socket.on('data', (chunk: Buffer) => this.#pass(name, () => read(chunk)));
  }

  #open(socket: Duplex, reader: JuteReader): Session {
    reader.int();
    reader.long();
    const wantedMs = reader.int();
    const claimed = reader.long();
    const found = this.#sessions.get(claimed);
    if (claimed !== 0n && found === undefined) {
      this.#send(socket, new JuteWriter().int(0).int(0).long(0n).buffer(Buffer.alloc(16)));
      return { id: claimed, timeoutMs: 0, timer: undefined, socket };
    }
    const timeoutMs = Math.min(TIMEOUT_MAX_MS, Math.max(TIMEOUT_MIN_MS, wantedMs));
    this.#lastSession += found === undefined ? 1n : 0n;
    const session = found ?? { id: this.#lastSession, timeoutMs, timer: undefined, socket };
    session.socket = socket;
    this.#sessions.set(session.id, session);
    this.#touch(session);
    const writer = new JuteWriter().int(0).int(session.timeoutMs).long(session.id);
    this.#send(socket, writer.buffer(Buffer.alloc(16, 1)));
    return session;
  }

  #touch(session: Session): void {
    session.timer?.cancel();
    session.timer = this.#clock.after(session.timeoutMs + TICK_MS, () => this.expire(session.id));
  }

  #handle(session: Session, socket: Duplex, reader: JuteReader): void {
    if (!this.#sessions.has(session.id)) return;
    const requestsLeft = this.#requestsLeft.get(session.id);
    if (requestsLeft === 0) {
      this.expire(session.id);
      return;
    }
    if (requestsLeft !== undefined) this.#requestsLeft.set(session.id, requestsLeft - 1);
    this.#touch(session);
    const xid = reader.int();
    const operation = reader.int();
    if (this.breakBefore === operation) {
      this.breakBefore = undefined;
      const late = () => this.#carryOut(session, this.#nobody, operation, reader, new JuteWriter());
      this.#underWay.push(late);
      this.#clock.after(1000, () => this.#finishWhatIsUnderWay());
      socket.destroy();
      return;
    }
    const body = new JuteWriter();
    let status = 0;
    try {
      this.#carryOut(session, socket, operation, reader, body);
    } catch (error) {
      if (!(error instanceof ZooKeeperError)) throw error;
      status = statusOf(error.reason);
    }
    if (this.breakAfter === operation) {
      this.breakAfter = undefined;
      socket.destroy();
      return;
    }
    const header = new JuteWriter().int(xid).long(this.tree.zxid).int(status).bytes();
    const answer = status === 0 ? Buffer.concat([header, body.bytes()]) : header;
    this.#sendBytes(socket, answer);
    if (operation === OPERATIONS.closeSession) this.expire(session.id);
  }

  #carryOut(
    session: Session,
    socket: Duplex,
    operation: number,
    reader: JuteReader,
    answer: JuteWriter,
  ): void {
    switch (operation) {
      case OPERATIONS.create:
        answer.text(this.#create(session, reader));
        return;
      case OPERATIONS.delete: {
        const path = reader.text();
        this.tree.delete(path, reader.int());
        this.#notify(path, parentOf(path));
        return;
      }
      case OPERATIONS.exists:
      case OPERATIONS.getData:
      case OPERATIONS.getChildren:
        this.#look(operation, socket, reader, answer);
        return;
      case OPERATIONS.setData: {
        const path = reader.text();
        this.tree.setData(path, reader.buffer(), reader.int());
        this.#notify(path);
        this.#writeStat(answer, path);
        return;
      }
      case OPERATIONS.multi:
        this.#transaction(session, reader, answer);
        return;
      case OPERATIONS.sync:
        this.#finishWhatIsUnderWay();
        return;
    }
  }

  #finishWhatIsUnderWay(): void {
    for (const late of this.#underWay.splice(0)) late();
  }

  #create(session: Session, reader: JuteReader): string {
    const path = reader.text();
    const data = reader.buffer();
    reader.list((each) => [each.int(), each.text(), each.text()]);
    const flags = reader.int();
    const owner = (flags & CREATE_FLAGS.ephemeral) === 0 ? 0n : session.id;
    const isSequential = (flags & CREATE_FLAGS.sequential) !== 0;
    const made = this.tree.create(path, data, owner, isSequential);
    this.#notify(made, parentOf(made));
    return made;
  }

  #look(operation: number, socket: Duplex, reader: JuteReader, answer: JuteWriter): void {
    const path = reader.text();
    const isWatched = reader.bool();
    if (isWatched && operation === OPERATIONS.exists) this.#watch(path, socket);
    const { data } = this.tree.node(path);
    if (isWatched) this.#watch(path, socket);
    if (operation === OPERATIONS.getChildren) {
      answer.list(this.tree.children(path), (name, writer) => writer.text(name));
      return;
    }
    if (operation === OPERATIONS.getData) answer.buffer(data);
    this.#writeStat(answer, path);
  }

  #transaction(session: Session, reader: JuteReader, answer: JuteWriter): void {
    const results: JuteWriter[] = [];
    let failure: ZooKeeperError | undefined;
    let failedAt = 0;
    const types: number[] = [];
    try {
      this.tree.atomically(() => {
        for (;;) {
          const type = reader.int();
          const isDone = reader.bool();
          reader.int();
          if (isDone) return;
          types.push(type);
          if (failure !== undefined) throw failure;
          const result = new JuteWriter().int(type).bool(false).int(0);
          if (type === OPERATIONS.check) this.tree.check(reader.text(), reader.int());
          else this.#carryOut(session, this.#nobody, type, reader, result);
          results.push(result);
          failedAt = results.length;
        }
      });
    } catch (error) {
      if (!(error instanceof ZooKeeperError)) throw error;
      failure = error;
    }
    if (failure === undefined) {
      for (const result of results) answer.raw(result.bytes());
    } else {
      for (let index = 0; index <= failedAt; index += 1) {
        const status = index === failedAt ? statusOf(failure.reason) : 0;
        answer.int(-1).bool(false).int(status).int(status);
      }
    }
    answer.int(-1).bool(true).int(-1);
  }

  readonly #nobody: Duplex = duplexPair()[0];

  #watch(path: string, socket: Duplex): void {
    const sockets = this.#watches.get(path) ?? new Set();
    this.#watches.set(path, sockets.add(socket));
  }

  #notify(...paths: readonly string[]): void {
    for (const path of paths) {
      const sockets = this.#watches.get(path) ?? [];
      this.#watches.delete(path);
      for (const socket of sockets) {
        const writer = new JuteWriter().int(XIDS.notification).long(-1n).int(0);
        this.#send(socket, writer.int(3).int(3).text(path));
      }
    }
  }

  #writeStat(writer: JuteWriter, path: string): void {
    const { zxid, version, owner, data } = this.tree.node(path);
    writer.long(zxid).long(zxid).long(0n).long(0n).int(version).int(0).int(0).long(owner);
    writer.int(data.length).int(this.tree.children(path).length).long(zxid);
  }

  #send(socket: Duplex, writer: JuteWriter): void {
    this.#sendBytes(socket, writer.bytes());
  }

  #sendBytes(socket: Duplex, bytes: Buffer): void {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes.length);
    this.#pass(this.#sockets.get(socket) ?? '', () => {
      if (!socket.destroyed) socket.write(Buffer.concat([length, bytes]));
    });
  }
}
