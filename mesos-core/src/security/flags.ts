import { readFileSync } from 'node:fs';
import {
  booleanSetting,
  choiceSetting,
  defineSettings,
  optional,
  SettingsError,
  type SettingsOf,
  textSetting,
} from '@factory/runtime';
import { namesOf } from '../command-line.ts';
import { type Acls, parseAcls } from './acls.ts';
import { createAuthenticator } from './authenticator.ts';
import { type Authorizer, allowAll, createAuthorizer } from './authorizer.ts';
import { type PlainCredential, parseCredential, parseCredentials } from './credentials.ts';
import type { Authenticators } from './http-guard.ts';
import type { Realm } from './realms.ts';
import { SecurityConfigError } from './security-error.ts';

/** Who may come in, and who may do what. */
export interface Security {
  readonly authenticators: Authenticators;
  readonly authorizer: Authorizer;
}

/** Everybody may do everything. */
export const openToAll: Security = { authenticators: new Map(), authorizer: allowAll };

/** An agent that lets everybody do everything, and shows nothing to the master. */
export const openAgent: AgentSecurity = {
  ...openToAll,
  credential: undefined,
  executorTokenKey: undefined,
};

const SHARED_FLAGS = defineSettings({
  authenticateHttpReadonly: booleanSetting({
    ...namesOf('authenticate_http_readonly'),
    describe: 'only authenticated callers may read',
    default: false,
  }),
  authenticateHttpReadwrite: booleanSetting({
    ...namesOf('authenticate_http_readwrite'),
    describe: 'only authenticated callers may use the operator API',
    default: false,
  }),
  jwtSecretKey: optional(
    textSetting({
      ...namesOf('jwt_secret_key'),
      describe: 'file with the key of bearer tokens (HS256)',
    }),
  ),
  acls: optional(
    textSetting({
      ...namesOf('acls'),
      describe: "who may do what: JSON in Mesos' form, or the path of a file with it",
    }),
  ),
});

/** Flags of the master for authentication and authorization. */
export const MASTER_SECURITY_FLAGS = defineSettings({
  ...SHARED_FLAGS,
  credentials: optional(
    textSetting({
      ...namesOf('credentials'),
      describe: 'file with principals and secrets: JSON, or one pair a line',
    }),
  ),
  authenticateHttpFrameworks: booleanSetting({
    ...namesOf('authenticate_http_frameworks'),
    describe: 'only authenticated frameworks may use the scheduler API',
    default: false,
  }),
  httpFrameworkAuthenticators: choiceSetting({
    ...namesOf('http_framework_authenticators'),
    describe: 'as Mesos wants it beside --authenticate_http_frameworks',
    choices: ['basic'],
    default: 'basic',
  }),
  authenticateAgents: booleanSetting({
    ...namesOf('authenticate_agents'),
    describe: 'only authenticated agents may register',
    default: false,
  }),
});

/** Flags of the agent for authentication and authorization. */
export const AGENT_SECURITY_FLAGS = defineSettings({
  ...SHARED_FLAGS,
  httpCredentials: optional(
    textSetting({
      ...namesOf('http_credentials'),
      describe: 'file with principals and secrets of those who call this agent',
    }),
  ),
  credential: optional(
    textSetting({
      ...namesOf('credential'),
      describe: 'file with the principal and secret that the agent shows the master',
    }),
  ),
  authenticateHttpExecutors: booleanSetting({
    ...namesOf('authenticate_http_executors'),
    describe: 'executors get a token and have to show it; needs --jwt_secret_key',
    default: false,
  }),
});

/**
 * What the master's flags ask for.
 * @throws SettingsError when a file can't be read or understood, or nobody could come in.
 */
export function masterSecurity(flags: SettingsOf<typeof MASTER_SECURITY_FLAGS>): Security {
  return securityOf(flags, 'credentials', flags.credentials, {
    'mesos-master-readonly': flags.authenticateHttpReadonly,
    'mesos-master-readwrite': flags.authenticateHttpReadwrite,
    'mesos-master-scheduler': flags.authenticateHttpFrameworks,
    'mesos-master-agent': flags.authenticateAgents,
  });
}

/** {@link Security}, and what the agent shows to others. */
export interface AgentSecurity extends Security {
  /** For the master; `undefined` when it asks for nothing. */
  readonly credential: PlainCredential | undefined;
  /** Signs the tokens of executors; `undefined` when they need none. */
  readonly executorTokenKey: string | undefined;
}

/**
 * What the agent's flags ask for.
 * @throws SettingsError when a file can't be read or understood, or nobody could come in.
 */
export function agentSecurity(flags: SettingsOf<typeof AGENT_SECURITY_FLAGS>): AgentSecurity {
  const { authenticateHttpExecutors, jwtSecretKey } = flags;
  const security = securityOf(flags, 'http_credentials', flags.httpCredentials, {
    'mesos-agent-readonly': flags.authenticateHttpReadonly,
    'mesos-agent-readwrite': flags.authenticateHttpReadwrite,
  });
  const credential = readWith('credential', flags.credential, parseCredential);
  if (!authenticateHttpExecutors) return { ...security, credential, executorTokenKey: undefined };
  const key = readWith('jwt_secret_key', jwtSecretKey, parseKey);
  if (key === undefined) {
    throw new SettingsError(['--authenticate_http_executors needs --jwt_secret_key']);
  }
  const realm = 'mesos-agent-executor';
  const forExecutors = createAuthenticator({ realm, jwtSecretKey: key });
  const authenticators = new Map([...security.authenticators, [realm, forExecutors] as const]);
  return { ...security, authenticators, credential, executorTokenKey: key };
}

function securityOf(
  flags: SettingsOf<typeof SHARED_FLAGS>,
  credentialsFlag: string,
  credentialsFile: string | undefined,
  wanted: Readonly<Partial<Record<Realm, boolean>>>,
): Security {
  const credentials = readWith(credentialsFlag, credentialsFile, parseCredentials);
  const jwtSecretKey = readWith('jwt_secret_key', flags.jwtSecretKey, parseKey);
  const realms = REALMS.filter((realm) => wanted[realm] === true);
  if (realms.length > 0 && credentials === undefined && jwtSecretKey === undefined) {
    throw new SettingsError([
      `authentication needs --${credentialsFlag} or --jwt_secret_key: nobody could come in`,
    ]);
  }
  return {
    authenticators: new Map(
      realms.map((realm) => [realm, createAuthenticator({ realm, credentials, jwtSecretKey })]),
    ),
    authorizer: createAuthorizer(readAcls(flags.acls)),
  };
}

const REALMS: readonly Realm[] = [
  ...(['mesos-master-readonly', 'mesos-master-readwrite'] as const),
  ...(['mesos-master-scheduler', 'mesos-master-agent'] as const),
  ...(['mesos-agent-readonly', 'mesos-agent-readwrite'] as const),
];

function readAcls(value: string | undefined): Acls | undefined {
  if (value === undefined) return undefined;
  return value.trimStart().startsWith('{')
    ? named('acls', () => parseAcls(value))
    : readWith('acls', value, parseAcls);
}

function parseKey(text: string): string {
  const key = text.replace(/\r?\n$/, '');
  if (key === '') throw new SecurityConfigError('the key is empty');
  return key;
}

/** Parses the file at a path or `file://` URL. Errors name the flag, and never the content. */
function readWith<T>(
  flag: string,
  path: string | undefined,
  parse: (text: string) => T,
): T | undefined {
  if (path === undefined) return undefined;
  return named(flag, () => {
    return parse(readFileSync(path.startsWith('file://') ? new URL(path) : path, 'utf8'));
  });
}

function named<T>(flag: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new SettingsError([`--${flag}: ${error instanceof Error ? error.message : error}`]);
  }
}
