import { ZooKeeperError } from '../errors.ts';

interface Node {
  data: Buffer;
  version: number;
  nextSequence: number;
  readonly zxid: bigint;
  readonly owner: bigint;
}

/** The nodes of a ZooKeeper in memory, with its rules. Throws ZooKeeperErrors as the real one answers. */
export class Tree {
  #nodes = new Map<string, Node>([['/', newNode(Buffer.alloc(0), 0n, 0n)]]);
  zxid = 0n;

  node(path: string): Node {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new ZooKeeperError('NO_NODE', path);
    return node;
  }

  children(path: string): readonly string[] {
    this.node(path);
    const prefix = path === '/' ? path : `${path}/`;
    return [...this.#nodes.keys()]
      .filter((each) => each !== '/' && each.startsWith(prefix))
      .map((each) => each.slice(prefix.length))
      .filter((name) => !name.includes('/'));
  }

  create(path: string, data: Buffer, owner: bigint, isSequential: boolean): string {
    const parent = this.node(parentOf(path));
    if (parent.owner !== 0n) throw new ZooKeeperError('BAD_ARGUMENTS', path);
    const number = String(parent.nextSequence).padStart(10, '0');
    const name = isSequential ? `${path}${number}` : path;
    if (this.#nodes.has(name)) throw new ZooKeeperError('NODE_EXISTS', name);
    parent.nextSequence += 1;
    this.zxid += 1n;
    this.#nodes.set(name, newNode(data, this.zxid, owner));
    return name;
  }

  setData(path: string, data: Buffer, version: number): Node {
    const node = this.check(path, version);
    this.zxid += 1n;
    node.data = data;
    node.version += 1;
    return node;
  }

  delete(path: string, version: number): void {
    this.check(path, version);
    if (this.children(path).length > 0) throw new ZooKeeperError('NOT_EMPTY', path);
    this.zxid += 1n;
    this.#nodes.delete(path);
  }

  check(path: string, version: number): Node {
    const node = this.node(path);
    if (version !== -1 && version !== node.version) throw new ZooKeeperError('BAD_VERSION', path);
    return node;
  }

  ownedBy(sessionId: bigint): readonly string[] {
    return [...this.#nodes].filter(([, { owner }]) => owner === sessionId).map(([path]) => path);
  }

  /** All of `work`, or nothing of it when it throws. */
  atomically<T>(work: () => T): T {
    const before = new Map([...this.#nodes].map(([path, node]) => [path, { ...node }]));
    try {
      return work();
    } catch (error) {
      this.#nodes = before;
      throw error;
    }
  }
}

/** The path of the node above. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function newNode(data: Buffer, zxid: bigint, owner: bigint): Node {
  return { data, version: 0, nextSequence: 0, zxid, owner };
}
