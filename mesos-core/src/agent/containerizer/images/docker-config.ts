import { ImageError, parseJson } from './image.ts';

/** What registries are told of who asks: `Basic …`, by host. */
export type RegistryCredentials = ReadonlyMap<string, string>;

interface RawEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
}

/** Docker's own registry goes by several names. */
const DOCKER_HUB = 'registry-1.docker.io';
const OF_DOCKER_HUB = new Set(['docker.io', 'index.docker.io', DOCKER_HUB]);

/**
 * The credentials in the text of a `~/.docker/config.json`, or the older `~/.dockercfg`. Pure.
 * @throws ImageError when it is none.
 */
export function parseDockerConfig(text: string): RegistryCredentials {
  const config = parseJson<Readonly<Record<string, unknown>>>(text, 'the Docker configuration');
  const entries = Object.entries(isObject(config.auths) ? config.auths : config);
  const credentials = entries.flatMap(([name, entry]): [string, string][] => {
    const basic = isObject(entry) ? basicOf(entry) : undefined;
    return basic === undefined ? [] : [[hostOf(name), basic]];
  });
  if (credentials.length === 0) {
    throw new ImageError(
      'the Docker configuration holds no credentials: {"auths":{"host":{"auth":…}}}',
    );
  }
  return new Map(credentials);
}

/** What this registry is to be told. Pure. */
export function credentialFor(credentials: RegistryCredentials, url: string): string | undefined {
  return credentials.get(hostOf(url));
}

function basicOf({ auth, username, password }: RawEntry): string | undefined {
  if (typeof auth === 'string' && auth !== '') return `Basic ${auth}`;
  if (username === undefined || password === undefined) return undefined;
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function hostOf(name: string): string {
  const host = name.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '';
  return OF_DOCKER_HUB.has(host) ? DOCKER_HUB : host;
}

function isObject(value: unknown): value is Readonly<Record<string, never>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
