import { SettingsError } from '@factory/runtime';

/** A ZooKeeper ensemble as Mesos writes it: `zk://user:password@host1:port,host2:port/path`. */
export interface ZooKeeperUrl {
  readonly servers: readonly { readonly host: string; readonly port: number }[];
  /** `user:password` for the digest scheme. Secret. */
  readonly credential: string | undefined;
  /** Absolute, without a slash at its end. */
  readonly path: string;
}

const DEFAULT_PORT = 2181;
const SCHEME = 'zk://';

/** Whether a text means ZooKeeper rather than a list of masters. */
export function isZooKeeperUrl(text: string): boolean {
  return text.startsWith(SCHEME);
}

/**
 * Reads a `zk://` URL.
 * @throws SettingsError that says what is wrong, without the credential.
 */
export function parseZooKeeperUrl(text: string): ZooKeeperUrl {
  if (!isZooKeeperUrl(text)) throw wrong('it must begin with zk://');
  const rest = text.slice(SCHEME.length);
  const slash = rest.indexOf('/');
  if (slash < 0) throw wrong('a path must follow the servers');
  const authority = rest.slice(0, slash);
  const path = rest.slice(slash).replace(/\/+$/, '');
  if (!/^(\/[^/\s]+)+$/.test(path)) throw wrong('the path must have at least one name');
  const at = authority.lastIndexOf('@');
  const credential = at < 0 ? undefined : authority.slice(0, at);
  if (credential !== undefined && !/^[^:]+:.+$/.test(credential)) {
    throw wrong('what stands before the @ must be user:password');
  }
  const servers = authority
    .slice(at + 1)
    .split(',')
    .map(parseServer);
  return { servers, credential, path };
}

function parseServer(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:\s[\]]+))(?::(\d{1,5}))?$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (host === undefined || port < 1 || port > 65_535) {
    throw wrong(`${JSON.stringify(text)} is not host:port`);
  }
  return { host, port };
}

function wrong(why: string): SettingsError {
  const example = 'zk://host1:2181,host2:2181/mesos';
  return new SettingsError([`the ZooKeeper URL is not like ${example}: ${why}`]);
}
