import { readFileSync } from 'node:fs';
import { type ClientTls, type ServerTls, SettingsError } from '@factory/runtime';

/** TLS of a master, an agent, or a client. */
export interface Tls {
  readonly server: ServerTls;
  readonly client: ClientTls;
  /** For executors, so that they speak TLS with their agent as Mesos' do. Without secrets: paths. */
  readonly executorVariables: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = 'LIBPROCESS_SSL_';

/**
 * TLS as the variables of libprocess ask for it (https://mesos.apache.org/documentation/latest/ssl/):
 * `LIBPROCESS_SSL_ENABLED`, `…_CERT_FILE`, `…_KEY_FILE`, `…_CA_FILE`, `…_VERIFY_SERVER_CERT` (or its
 * older name `…_VERIFY_CERT`), `…_REQUIRE_CLIENT_CERT` (or `…_REQUIRE_CERT`). Where Mesos verifies
 * servers only when told to, this does so whenever a CA is given.
 * @returns `undefined` when TLS is off.
 * @throws SettingsError that names the variable.
 */
export function readTls(env: Environment): Tls | undefined {
  const client = readClientTls(env);
  if (client === undefined) return undefined;
  const { identity, authorities } = client;
  if (identity === undefined) throw missingIdentity();
  const asksClients = flag(env, 'REQUIRE_CLIENT_CERT', flag(env, 'REQUIRE_CERT', false));
  if (asksClients && authorities === undefined) {
    throw new SettingsError([`${PREFIX}REQUIRE_CLIENT_CERT needs ${PREFIX}CA_FILE`]);
  }
  return {
    server: { ...identity, clientAuthorities: asksClients ? authorities : undefined },
    client,
    executorVariables: variablesOf(env),
  };
}

/**
 * TLS of what only calls masters and agents, as the same variables ask for it; a certificate of its own
 * is needed only where servers ask for one.
 * @returns `undefined` when TLS is off.
 * @throws SettingsError that names the variable.
 */
export function readClientTls(env: Environment): ClientTls | undefined {
  if (!flag(env, 'ENABLED', false)) return undefined;
  const certificate = fileOf(env, 'CERT_FILE');
  const privateKey = fileOf(env, 'KEY_FILE');
  if ((certificate === undefined) !== (privateKey === undefined)) throw missingIdentity();
  const authorities = fileOf(env, 'CA_FILE');
  const verifiesServer = flag(
    ...([env, 'VERIFY_SERVER_CERT'] as const),
    flag(env, 'VERIFY_CERT', authorities !== undefined),
  );
  const isNamed = certificate !== undefined && privateKey !== undefined;
  return {
    identity: isNamed ? { certificate, privateKey } : undefined,
    ...{ authorities, verifiesServer },
  };
}

function missingIdentity(): SettingsError {
  return new SettingsError([`${PREFIX}CERT_FILE and ${PREFIX}KEY_FILE are required`]);
}

function variablesOf(env: Environment): Record<string, string> {
  const entries = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[0].startsWith(PREFIX) && entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

function flag(env: Environment, name: string, fallback: boolean): boolean {
  const value = env[PREFIX + name];
  if (value === undefined || value === '') return fallback;
  if (value === '1' || value === 'true') return true;
  if (value === '0' || value === 'false') return false;
  throw new SettingsError([`${PREFIX}${name} must be true or false`]);
}

function fileOf(env: Environment, name: string): string | undefined {
  const path = env[PREFIX + name];
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new SettingsError([
      `${PREFIX}${name}: ${error instanceof Error ? error.message : error}`,
    ]);
  }
}
