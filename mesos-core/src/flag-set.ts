import {
  describeSettings,
  type Flags,
  readSettings,
  type Setting,
  type SettingsDefinition,
  SettingsError,
  type SettingsOf,
} from '@factory/runtime';
import { VERSION_INFO } from './version-info.ts';

/** All that a program can be given: its own flags, and those of Mesos that it only knows. */
export interface FlagSet<D extends SettingsDefinition> {
  /** Named in errors and in help: `master`. */
  readonly program: string;
  readonly settings: D;
  /** Mesos' older names, and the flags that they stand for. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Variables besides MESOS_<NAME>, and the flags that they stand for. */
  readonly variables: Readonly<Record<string, string>>;
  /** Flags of Mesos that have one value here: that is taken and shown, any other is refused. */
  readonly fixed: Readonly<Record<string, string>>;
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The values of the flags: from the command line (without node and script), else from the
 * environment, else the defaults.
 * @throws SettingsError that lists all that is wrong.
 */
export function readFlags<D extends SettingsDefinition>(
  set: FlagSet<D>,
  argv: readonly string[],
  env: Env,
): SettingsOf<D> {
  return readSettings(set.settings, withNewNames(set, env), parseCommandLine(set, argv));
}

/**
 * The flags as they are shown to operators, those that can't be set included: as they were given, or
 * their defaults, in the text form in which they would be given. Those without a value, and secrets,
 * are left out; so is the credential of a `zk://` URL.
 */
export function flagTexts(
  set: FlagSet<SettingsDefinition>,
  argv: readonly string[],
  env: Env,
): Readonly<Record<string, string>> {
  const given = parseCommandLine(set, argv);
  const variables = withNewNames(set, env);
  const texts = Object.values(set.settings).flatMap((setting) => {
    const { flag, secret } = setting;
    if (flag === undefined || secret) return [];
    const text = given[flag] ?? (variables[setting.env] || undefined) ?? defaultText(setting);
    return text === undefined ? [] : [[flag, withoutCredential(String(text))] as const];
  });
  return { ...set.fixed, ...Object.fromEntries(texts) };
}

function withoutCredential(text: string): string {
  return text.replace(/^zk:\/\/[^/]*@/, 'zk://');
}

/** What `--help` or `--version` asks for; `undefined` when neither is there. */
export function answerOf(
  set: FlagSet<SettingsDefinition>,
  argv: readonly string[],
): string | undefined {
  if (argv.includes('--help')) return helpText(set);
  return argv.includes('--version') ? `mesos ${VERSION_INFO.version}\n` : undefined;
}

/** Reads Mesos' forms of flags: `--name=value`, and for switches `--name` and `--no-name`. */
function parseCommandLine(set: FlagSet<SettingsDefinition>, argv: readonly string[]): Flags {
  const known = new Set(Object.values(set.settings).map((setting) => setting.flag));
  const flags: Record<string, string | boolean> = {};
  const problems: string[] = [];
  for (const argument of argv) {
    const match = /^--(no-)?([a-z0-9_]+)(?:=(.*))?$/s.exec(argument);
    const [, no, given = '', text] = match ?? [];
    const name = set.aliases[given] ?? given;
    const value = text ?? (no === undefined ? true : 'false');
    if (known.has(name)) flags[name] = value;
    else problems.push(...problemOfUnknown(set, argument, name, String(value)));
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return flags;
}

function problemOfUnknown(
  { program, fixed }: FlagSet<SettingsDefinition>,
  argument: string,
  name: string,
  value: string,
): readonly string[] {
  const only = fixed[name];
  if (only === undefined) {
    return [`${argument.split('=')[0]} is not a flag of the ${program}; --help lists them`];
  }
  return only === value ? [] : [`--${name} is always ${quoted(only)} here; got ${quoted(value)}`];
}

/** The variables, with older names replaced by those in use. @throws SettingsError */
function withNewNames(set: FlagSet<SettingsDefinition>, env: Env): Env {
  const older = Object.entries(set.aliases).map(
    ([name, flag]) => [variableOf(name), flag] as const,
  );
  const others = [...older, ...Object.entries(set.variables)].map(([variable, flag]) => ({
    [variableOf(flag)]: env[variable],
  }));
  const known = new Set(Object.values(set.settings).map((setting) => setting.env));
  const problems = Object.entries(set.fixed).flatMap(([name, only]) => {
    const variable = variableOf(name);
    const value = env[variable] ?? '';
    if (known.has(variable) || value === '' || value === only) return [];
    return [`${variable} is always ${quoted(only)} here; got ${quoted(value)}`];
  });
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.assign({}, ...others, env);
}

function variableOf(flag: string): string {
  return `MESOS_${flag.toUpperCase()}`;
}

function quoted(text: string): string {
  return text === '' ? 'empty' : JSON.stringify(text);
}

function helpText({ program, settings, aliases }: FlagSet<SettingsDefinition>): string {
  const rows = describeSettings(settings).map((setting) => {
    const { flag, env, describe, expects, default: fallback = 'required' } = setting;
    const names = Object.keys(aliases).filter((older) => `--${aliases[older]}` === flag);
    const also = names.map((older) => `, --${older}`).join('');
    return `  ${flag ?? env}=VALUE${also}\n      ${describe}\n      ${expects}; default: ${fallback}\n`;
  });
  return [
    `Usage: node src/${program}/main.ts [--name=value | --name | --no-name] ...\n`,
    'Each flag can be given as MESOS_<NAME> in the environment too.\n\n',
    ...rows,
    '  --help\n      prints this\n  --version\n      prints the version\n',
  ].join('');
}

function defaultText({ fallback, fallbackText }: Setting<unknown>): string | undefined {
  if (fallbackText !== undefined) return fallbackText;
  if (fallback.kind === 'required') return undefined;
  const { value } = fallback;
  const isPlain = typeof value === 'string' || typeof value === 'number' || value === true;
  return isPlain || value === false ? String(value) : undefined;
}
