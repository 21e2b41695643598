import { readFileSync } from 'node:fs';
import { type Setting, SettingsError } from '@factory/runtime';
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
    expects:
      'JSON such as {"fault_domain":{"region":{"name":"eu"},"zone":{"name":"eu-1"}}}, or file:///path',
    fallback: { kind: 'value', value: undefined },
    secret: false,
    parse: (text) => {
      try {
        return fromJson('DomainInfo', JSON.parse(textOrFile('--domain', text)));
      } catch {
        return undefined;
      }
    },
  };
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
