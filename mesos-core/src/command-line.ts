import { readFileSync } from 'node:fs';
import { type Flags, type Setting, type SettingsDefinition, SettingsError } from '@factory/runtime';
import {
  type DomainInfo,
  formatDurationMs,
  fromJson,
  parseBytes,
  parseDurationMs,
} from './protocol/index.ts';

/** How a setting is called on the command line and in the environment, as Mesos does. */
export function namesOf(name: string): { readonly flag: string; readonly env: string } {
  return { flag: name, env: `MESOS_${name.toUpperCase()}` };
}

/** A flag in Mesos' own form of durations (`10secs`); in milliseconds. */
export function durationFlag(name: string, defaultMs: number, describe: string): Setting<number> {
  return {
    ...namesOf(name),
    describe,
    expects: 'a duration such as 500ms, 10secs or 1.5mins',
    fallback: { kind: 'value', value: defaultMs },
    fallbackText: formatDurationMs(defaultMs),
    secret: false,
    parse: parseDurationMs,
  };
}

/** A flag in Mesos' own form of sizes (`2GB`, powers of 1024); in bytes. */
export function bytesFlag(name: string, defaultBytes: number, describe: string): Setting<number> {
  return {
    ...namesOf(name),
    describe,
    expects: 'a size such as 512KB, 10MB or 2GB',
    fallback: { kind: 'value', value: defaultBytes },
    secret: false,
    parse: parseBytes,
  };
}

/** `--domain`: the region and zone that a master or an agent is in, as Mesos' flag has it. */
export function domainFlag(who: string): Setting<DomainInfo | undefined> {
  return {
    ...namesOf('domain'),
    describe: `region and zone of the ${who}`,
    expects: 'JSON such as {"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}',
    fallback: { kind: 'value', value: undefined },
    secret: false,
    parse: (text) => {
      try {
        return fromJson('DomainInfo', JSON.parse(text));
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * Reads Mesos' forms of flags: `--name=value`, and for switches `--name` and `--no-name`.
 * @param argv without node and script.
 * @param who is named in errors: `agent`.
 * @throws SettingsError that names all that are no flags.
 */
export function parseCommandLine(
  definition: Readonly<Record<string, { readonly flag?: string | undefined }>>,
  argv: readonly string[],
  who: string,
): Flags {
  const known = new Set(Object.values(definition).map((setting) => setting.flag));
  const flags: Record<string, string | boolean> = {};
  const problems: string[] = [];
  for (const argument of argv) {
    const match = /^--(no-)?([a-z_]+)(?:=(.*))?$/s.exec(argument);
    const [, no, name = '', value] = match ?? [];
    if (!known.has(name)) problems.push(`${argument.split('=')[0]} is not a flag of the ${who}`);
    else flags[name] = value ?? (no === undefined ? true : 'false');
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return flags;
}

/**
 * The flags as they are shown to operators: as they were given, or their defaults, in the text form
 * in which they would be given. Those without a value, and secrets, are left out; so is the credential
 * of a `zk://` URL.
 */
export function flagTexts(
  definition: SettingsDefinition,
  given: Flags,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const texts = Object.values(definition).flatMap((setting) => {
    const { flag, secret } = setting;
    if (flag === undefined || secret) return [];
    const text = given[flag] ?? (env[setting.env] || undefined) ?? defaultText(setting);
    return text === undefined ? [] : [[flag, withoutCredential(String(text))] as const];
  });
  return Object.fromEntries(texts);
}

function withoutCredential(text: string): string {
  return text.replace(/^zk:\/\/[^/]*@/, 'zk://');
}

function defaultText({ fallback, fallbackText }: Setting<unknown>): string | undefined {
  if (fallbackText !== undefined) return fallbackText;
  if (fallback.kind === 'required') return undefined;
  const { value } = fallback;
  const isPlain = typeof value === 'string' || typeof value === 'number' || value === true;
  return isPlain || value === false ? String(value) : undefined;
}

/**
 * The setting's value, or the content of the file that it names by `file://`.
 * @param setting its name, for errors: `--zk`.
 * @throws SettingsError when the file can't be read.
 */
export function textOrFile(setting: string, text: string): string {
  if (!text.startsWith('file://')) return text;
  try {
    return readFileSync(new URL(text), 'utf8').trim();
  } catch (error) {
    throw new SettingsError([`${setting}: ${error instanceof Error ? error.message : error}`]);
  }
}
