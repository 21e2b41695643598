import { decodeMessage, encodeMessage, type MasterInfo } from '../protocol/index.ts';

/**
 * Mesos' layout below the path of the `zk://` URL: an ephemeral sequential node for each master,
 * `json.info_0000000012` with MasterInfo as JSON (since Mesos 0.24) or `info_0000000012` as protobuf
 * (before). The lowest number leads (src/master/detector/zookeeper.cpp, src/zookeeper/group.cpp).
 * Nodes with other names, such as those of the replicated log, mean nothing here.
 */
const MASTER_NODE = /^(json\.)?info_(-?\d{1,10})$/;

/** What a master's node is called, before ZooKeeper adds its number. */
export const MASTER_NODE_PREFIX = 'json.info_';

/** The node of the master that leads among the children of the path; `undefined` without masters. */
export function leadingNode(children: readonly string[]): string | undefined {
  const numbers = children.flatMap((name) => {
    const number = MASTER_NODE.exec(name)?.[2];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return numbers.sort((a, b) => a.number - b.number)[0]?.name;
}

/** Whether a child of the path is a master's. */
export function isMasterNode(name: string): boolean {
  return MASTER_NODE.test(name);
}

/** What a master says of itself in its node. */
export function encodeMasterNode(info: MasterInfo): Uint8Array {
  return encodeMessage('MasterInfo', 'json', info);
}

/**
 * Reads a master's node, of either form.
 * @throws CodecError when it holds no MasterInfo.
 */
export function decodeMasterNode(name: string, data: Uint8Array): MasterInfo {
  return decodeMessage('MasterInfo', name.startsWith('json.') ? 'json' : 'protobuf', data);
}

/** Where a master is reached: `host:port`, by its name where it has one. */
export function hostAndPort(info: MasterInfo): string {
  const host = info.address?.hostname ?? info.hostname ?? info.address?.ip ?? unpackIp(info.ip);
  const port = info.address?.port ?? info.port;
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The first byte of an address is the lowest of the number. */
function unpackIp(packed: number): string {
  return [0, 8, 16, 24].map((shift) => (packed >>> shift) & 255).join('.');
}
