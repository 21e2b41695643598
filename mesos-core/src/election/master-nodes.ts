import { decodeMessage, encodeMessage, type MasterInfo } from '../protocol/index.ts';
import type { Leader, Scheme } from './election.ts';

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

/**
 * What a master says of itself in its node. MasterInfo has no word for TLS: one that speaks it adds
 * `"scheme":"https"`, which other detectors pass over as they do all fields that they don't know.
 */
export function encodeMasterNode(info: MasterInfo, scheme: Scheme): Uint8Array {
  const json = encodeMessage('MasterInfo', 'json', info);
  if (scheme === 'http') return json;
  return Buffer.from(JSON.stringify({ ...asObject(json), scheme }));
}

/**
 * Reads a master's node, of either form.
 * @throws CodecError when it holds no MasterInfo.
 */
export function decodeMasterNode(name: string, data: Uint8Array): Omit<Leader, 'id'> {
  if (!name.startsWith('json.')) return { info: decodeMessage('MasterInfo', 'protobuf', data) };
  const info = decodeMessage('MasterInfo', 'json', data);
  return asObject(data).scheme === 'https' ? { info, scheme: 'https' } : { info };
}

function asObject(json: Uint8Array): Readonly<Record<string, unknown>> {
  return { ...JSON.parse(Buffer.from(json).toString('utf8')) };
}

/** Where people and other networks reach a master: `host:port`, by its name where it has one. */
export function hostAndPort(info: MasterInfo): string {
  const host = info.address?.hostname ?? info.hostname ?? ipOf(info);
  return withPort(host, info);
}

/** Where agents and schedulers reach a master: `10.0.0.1:5050`. */
export function ipAndPort(info: MasterInfo): string {
  return withPort(ipOf(info), info);
}

function ipOf(info: MasterInfo): string {
  return info.address?.ip ?? unpackIp(info.ip);
}

function withPort(host: string, info: MasterInfo): string {
  return `${host.includes(':') ? `[${host}]` : host}:${info.address?.port ?? info.port}`;
}

/** The first byte of an address is the lowest of the number. */
function unpackIp(packed: number): string {
  return [0, 8, 16, 24].map((shift) => (packed >>> shift) & 255).join('.');
}
