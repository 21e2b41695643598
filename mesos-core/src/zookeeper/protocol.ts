import type { JuteReader, JuteWriter } from './jute.ts';

/** Operations (ZooDefs.OpCode). */
export const OPERATIONS = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  check: 13,
  multi: 14,
  auth: 100,
  closeSession: -11,
} as const;

/** Numbers of requests and answers that have no place in the order of the others. */
export const XIDS = { notification: -1, ping: -2, auth: -4 } as const;

/** Flags of a create. */
export const CREATE_FLAGS = { ephemeral: 1, sequential: 2 } as const;

/** What ZooKeeper knows about a node beside its data. */
export interface Stat {
  /** Transaction that made the node: grows with every change of the whole tree. */
  readonly createdZxid: bigint;
  readonly modifiedZxid: bigint;
  /** Counts the changes of its data. */
  readonly version: number;
  /** Session that the node lives in; 0 when it is not ephemeral. */
  readonly ephemeralOwner: bigint;
  readonly childrenCount: number;
}

export interface Acl {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

const PERMISSION_READ = 1;
const PERMISSION_ALL = 31;

/** Anybody may do anything. */
export const OPEN_ACL: readonly Acl[] = [
  { permissions: PERMISSION_ALL, scheme: 'world', id: 'anyone' },
];

/** Everybody reads, the authenticated creator does all: what Mesos gives its nodes with a credential. */
export const CREATOR_ACL: readonly Acl[] = [
  { permissions: PERMISSION_READ, scheme: 'world', id: 'anyone' },
  { permissions: PERMISSION_ALL, scheme: 'auth', id: '' },
];

/** One step of a transaction: all of its steps happen, or none. */
export type TransactionStep =
  | { readonly type: 'check'; readonly path: string; readonly version: number }
  | { readonly type: 'create'; readonly path: string; readonly data: Uint8Array }
  | {
      readonly type: 'setData';
      readonly path: string;
      readonly data: Uint8Array;
      readonly version: number;
    }
  | { readonly type: 'delete'; readonly path: string; readonly version: number };

export function readStat(reader: JuteReader): Stat {
  const createdZxid = reader.long();
  const modifiedZxid = reader.long();
  reader.long(); // ctime
  reader.long(); // mtime
  const version = reader.int();
  reader.int(); // cversion
  reader.int(); // aversion
  const ephemeralOwner = reader.long();
  reader.int(); // dataLength
  const childrenCount = reader.int();
  reader.long(); // pzxid
  return { createdZxid, modifiedZxid, version, ephemeralOwner, childrenCount };
}

export function writeCreate(
  writer: JuteWriter,
  path: string,
  data: Uint8Array,
  acl: readonly Acl[],
  flags: number,
): void {
  writer.text(path).buffer(data);
  writer.list(acl, ({ permissions, scheme, id }) => writer.int(permissions).text(scheme).text(id));
  writer.int(flags);
}

export function writeTransaction(
  writer: JuteWriter,
  steps: readonly TransactionStep[],
  acl: readonly Acl[],
): void {
  for (const step of steps) {
    writer.int(OPERATIONS[step.type]).bool(false).int(-1);
    switch (step.type) {
      case 'check':
      case 'delete':
        writer.text(step.path).int(step.version);
        break;
      case 'create':
        writeCreate(writer, step.path, step.data, acl, 0);
        break;
      case 'setData':
        writer.text(step.path).buffer(step.data).int(step.version);
        break;
    }
  }
  writer.int(-1).bool(true).int(-1);
}

/** What is of use of a transaction's answer: of each step its error number, and the Stat of setData. */
export function readTransaction(
  reader: JuteReader,
): readonly { readonly status: number; readonly stat: Stat | undefined }[] {
  const results: { status: number; stat: Stat | undefined }[] = [];
  for (;;) {
    const type = reader.int();
    const isDone = reader.bool();
    reader.int();
    if (isDone) return results;
    if (type === -1) {
      results.push({ status: reader.int(), stat: undefined });
      continue;
    }
    if (type === OPERATIONS.create) reader.text();
    const stat = type === OPERATIONS.setData ? readStat(reader) : undefined;
    results.push({ status: 0, stat });
  }
}
