import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  booleanSetting,
  choiceSetting,
  defineSettings,
  describeSettings,
  durationMsSetting,
  integerSetting,
  optional,
  readSettings,
  SettingsError,
  secretSetting,
  textSetting,
  urlSetting,
} from './settings.ts';

const definition = defineSettings({
  port: integerSetting({
    env: 'T_PORT',
    flag: 'port',
    default: 8080,
    min: 1,
    max: 65535,
    describe: 'port to listen on',
  }),
  master: urlSetting({ env: 'T_MASTER', describe: 'the master' }),
  name: textSetting({ env: 'T_NAME', default: 'x', pattern: /^[a-z]+$/, describe: 'a name' }),
  verbose: booleanSetting({ env: 'T_VERBOSE', flag: 'verbose', default: false, describe: 'talk' }),
  mode: choiceSetting({
    env: 'T_MODE',
    choices: ['libvirt', 'simulated'],
    default: 'libvirt',
    describe: 'hypervisor',
  }),
  timeoutMs: durationMsSetting({ env: 'T_TIMEOUT', default: 1000, min: 10, describe: 'wait' }),
  secret: optional(secretSetting({ env: 'T_SECRET', describe: 'key' })),
});

const MASTER = { T_MASTER: 'http://m:5050/' };

/** What is wrong with these inputs. */
function problems(env: Record<string, string>, flags = {}): readonly string[] {
  try {
    readSettings(definition, { ...MASTER, ...env }, flags);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
}

describe('readSettings', () => {
  it('gives typed defaults, and values from the environment', () => {
    const settings = readSettings(definition, { ...MASTER, T_TIMEOUT: '1.5s', T_NAME: '' });
    expect(settings).toEqual({
      port: 8080,
      master: 'http://m:5050',
      name: 'x',
      verbose: false,
      mode: 'libvirt',
      timeoutMs: 1500,
      secret: undefined,
    });
    expectTypeOf(settings.mode).toEqualTypeOf<'libvirt' | 'simulated'>();
    expectTypeOf(settings.port).toEqualTypeOf<number>();
    expectTypeOf(settings.secret).toEqualTypeOf<string | undefined>();
  });

  it('prefers flags to the environment', () => {
    const env = { ...MASTER, T_PORT: '1' };
    const settings = readSettings(definition, env, { port: 99, verbose: true });
    expect(settings).toMatchObject({ port: 99, verbose: true });
  });

  it('lists everything that is wrong, with source, expectation and value', () => {
    const env = { T_MASTER: 'ftp://x', T_MODE: 'kvm', T_TIMEOUT: '5 fortnights', T_NAME: 'A' };
    expect(problems(env, { port: '70000' })).toEqual([
      '--port must be a whole number from 1 to 65535; got "70000"',
      'T_MASTER must be a URL with http or https; got "ftp://x"',
      'T_NAME must be a text (matching /^[a-z]+$/); got "A"',
      'T_MODE must be one of libvirt, simulated; got "kvm"',
      'T_TIMEOUT must be a duration such as 250ms, 10s, 5m or 1h, at least 10 ms; ' +
        'got "5 fortnights"',
    ]);
    expect(() => readSettings(definition, {})).toThrow('T_MASTER is required: a URL');
  });

  it.each(['1e3', '0x10', ' 5', '1.5', '-1', 'NaN', '99999999999999999999'])(
    'takes %j for no port',
    (text) => expect(problems({ T_PORT: text })).toHaveLength(1),
  );

  it('reads a secret from the variable or from a file, and never prints it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'settings-'));
    const path = join(directory, 'secret');
    writeFileSync(path, 'from file\n');
    const read = (env: Record<string, string>) =>
      readSettings(definition, { ...MASTER, ...env }).secret;
    expect(read({ T_SECRET: 'direct' })).toBe('direct');
    expect(read({ T_SECRET_FILE: path })).toBe('from file');
    expect(problems({ T_SECRET: 'a', T_SECRET_FILE: path })[0]).toContain('both set');
    expect(problems({ T_SECRET_FILE: `${path}x` })[0]).toContain("can't read the secret");
    writeFileSync(path, '\n');
    expect(problems({ T_SECRET_FILE: path })[0]).toContain('not empty');
    rmSync(directory, { recursive: true });
  });
});

describe('describeSettings', () => {
  it('gives a row for each setting', () => {
    const rows = describeSettings(definition);
    expect(rows[0]).toEqual({
      env: 'T_PORT',
      flag: '--port',
      expects: 'a whole number from 1 to 65535',
      default: '8080',
      describe: 'port to listen on',
    });
    expect(rows[1]?.default).toBeUndefined();
    expect(rows.at(-1)).toMatchObject({ env: 'T_SECRET, T_SECRET_FILE', default: 'none' });
  });
});
