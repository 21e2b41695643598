import { readFileSync } from 'node:fs';
import { StartError } from './start-error.ts';

/** One setting: where it comes from, what it may be, what it is for. */
export interface Setting<T> {
  readonly env: string;
  /** Command-line flag without the dashes. */
  readonly flag: string | undefined;
  readonly describe: string;
  /** The values allowed, in words: `a whole number from 1 to 65535`. */
  readonly expects: string;
  /** What it is when not given; `required` when it must be given. */
  readonly fallback: { readonly kind: 'value'; readonly value: T } | { readonly kind: 'required' };
  /** {@link fallback} in the form in which it would be given, where its value doesn't say so. */
  readonly fallbackText?: string;
  /** Secrets are also read from the file named in `<env>_FILE`, and never printed. */
  readonly secret: boolean;
  /** The value of a text, `undefined` when the text is not allowed. */
  readonly parse: (text: string) => T | undefined;
}

/** What all kinds of settings have in common. Without a `default` the setting is required. */
export interface SettingOptions<T> {
  readonly env: string;
  readonly flag?: string;
  readonly default?: T;
  readonly describe: string;
}

/** A whole number within bounds. */
export function integerSetting(
  options: SettingOptions<number> & { readonly min?: number; readonly max?: number },
): Setting<number> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = options;
  return setting(options, `a whole number${boundsText(options)}`, (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
}

/** A text that is not empty; `pattern` restricts it, `patternHint` says so in words. */
export function textSetting(
  options: SettingOptions<string> & { readonly pattern?: RegExp; readonly patternHint?: string },
): Setting<string> {
  const hint = options.patternHint ?? (options.pattern ? `matching ${options.pattern}` : '');
  return setting(options, `a text${hint === '' ? '' : ` (${hint})`}`, (text) =>
    options.pattern === undefined || options.pattern.test(text) ? text : undefined,
  );
}

/** An absolute URL with one of `protocols` (default http and https), without a trailing slash. */
export function urlSetting(
  options: SettingOptions<string> & { readonly protocols?: readonly string[] },
): Setting<string> {
  const protocols = options.protocols ?? ['http', 'https'];
  return setting(options, `a URL with ${protocols.join(' or ')}`, (text) =>
    parseUrl(text, protocols),
  );
}

/** One or more such URLs, separated by commas. */
export function urlsSetting(
  options: SettingOptions<readonly string[]> & { readonly protocols?: readonly string[] },
): Setting<readonly string[]> {
  const protocols = options.protocols ?? ['http', 'https'];
  const expects = `one or more URLs with ${protocols.join(' or ')}, separated by commas`;
  const made = setting(options, expects, (text) => {
    const urls = text.split(',').map((each) => parseUrl(each.trim(), protocols));
    const found = urls.filter((url) => url !== undefined);
    return found.length === urls.length ? found : undefined;
  });
  return options.default === undefined
    ? made
    : { ...made, fallbackText: options.default.join(',') };
}

/** The URL without a trailing slash, `undefined` when it is none with one of the protocols. */
function parseUrl(text: string, protocols: readonly string[]): string | undefined {
  const protocol = URL.canParse(text) ? new URL(text).protocol.slice(0, -1) : '';
  return protocols.includes(protocol) ? text.replace(/\/+$/, '') : undefined;
}

/** `true` or `false`; a flag without a value is `true`. */
export function booleanSetting(options: SettingOptions<boolean>): Setting<boolean> {
  const values: Readonly<Record<string, boolean>> = { true: true, 1: true, false: false, 0: false };
  return setting(options, 'true or false', (text) =>
    Object.hasOwn(values, text) ? values[text] : undefined,
  );
}

/** One of a few words. */
export function choiceSetting<const T extends string>(
  options: SettingOptions<T> & { readonly choices: readonly T[] },
): Setting<T> {
  return setting(options, `one of ${options.choices.join(', ')}`, (text) =>
    options.choices.find((choice) => choice === text),
  );
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A duration such as `250ms`, `10s`, `5m`, `1h`; gives milliseconds. */
export function durationMsSetting(
  options: SettingOptions<number> & { readonly min?: number; readonly max?: number },
): Setting<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options;
  const bounds = boundsText({ ...options, unit: ' ms' });
  const made = setting(options, `a duration such as 250ms, 10s, 5m or 1h${bounds}`, (text) => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
    const value = Number(match?.[1]) * (UNIT_MS[match?.[2] ?? ''] ?? Number.NaN);
    return value >= min && value <= max ? value : undefined;
  });
  return options.default === undefined
    ? made
    : { ...made, fallbackText: durationText(options.default) };
}

/** Milliseconds as somebody would write them: `250ms`, `20s`, `15m`. */
function durationText(durationMs: number): string {
  if (durationMs % 60_000 === 0) return `${durationMs / 60_000}m`;
  return durationMs % 1000 === 0 ? `${durationMs / 1000}s` : `${durationMs}ms`;
}

/** A secret: in the variable itself or, better, in the file that `<env>_FILE` names. No flag. */
export function secretSetting(options: Omit<SettingOptions<string>, 'flag'>): Setting<string> {
  const made = setting(options, 'a secret, not empty', (text) => (text === '' ? undefined : text));
  return { ...made, secret: true };
}

/** The same setting, but `undefined` when it is not given. */
export function optional<T>(inner: Setting<T>): Setting<T | undefined> {
  return { ...inner, fallback: { kind: 'value', value: undefined } };
}

function setting<T>(
  options: SettingOptions<T>,
  expects: string,
  parse: (text: string) => T | undefined,
): Setting<T> {
  const { env, flag, describe, default: value } = options;
  const fallback =
    value === undefined ? ({ kind: 'required' } as const) : ({ kind: 'value', value } as const);
  return { env, flag, describe, expects, fallback, secret: false, parse };
}

function boundsText(bounds: { min?: number; max?: number; unit?: string }): string {
  const { min, max, unit = '' } = bounds;
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${unit}`;
  if (min !== undefined) return `, at least ${min}${unit}`;
  return max === undefined ? '' : `, at most ${max}${unit}`;
}

/** Settings by the name that the code knows them by. */
export type SettingsDefinition = Readonly<Record<string, Setting<unknown>>>;

/** The values of a definition. */
export type SettingsOf<D extends SettingsDefinition> = {
  readonly [K in keyof D]: D[K] extends Setting<infer T> ? T : never;
};

/** Declares the settings of a process; see {@link readSettings}. */
export function defineSettings<const D extends SettingsDefinition>(definition: D): D {
  return definition;
}

/** Everything that is wrong with the settings, one sentence each. */
export class SettingsError extends StartError {
  override readonly code = 'FACTORY_ERR_SETTINGS';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`invalid settings:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'SettingsError';
    this.problems = problems;
  }
}

/** Values of command-line flags, by flag name. */
export type Flags = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The settings' values: from the flag, else from the environment, else the default. An empty
 * variable counts as not given.
 * @throws SettingsError that lists all that is wrong, not just the first.
 */
export function readSettings<D extends SettingsDefinition>(
  definition: D,
  env: Readonly<Record<string, string | undefined>>,
  flags: Flags = {},
): SettingsOf<D> {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, each] of Object.entries(definition)) {
    const result = readOne(each, env, flags);
    if ('problem' in result) problems.push(result.problem);
    else values[name] = result.value;
  }
  if (problems.length > 0) throw new SettingsError(problems);
  return Object.freeze(values) as SettingsOf<D>;
}

type ReadResult = { readonly value: unknown } | { readonly problem: string };

function readOne(
  each: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  flags: Flags,
): ReadResult {
  const given = findText(each, env, flags);
  if (given === undefined) {
    if (each.fallback.kind === 'value') return { value: each.fallback.value };
    return { problem: `${sourceNames(each)} is required: ${each.expects} (${each.describe})` };
  }
  if ('problem' in given) return given;
  const value = each.parse(given.text);
  if (value !== undefined) return { value };
  const got = each.secret ? 'its content is not' : `got ${JSON.stringify(given.text)}`;
  return { problem: `${given.source} must be ${each.expects}; ${got}` };
}

type Given = { readonly text: string; readonly source: string } | { readonly problem: string };

function findText(
  each: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  flags: Flags,
): Given | undefined {
  const flag = each.flag === undefined ? undefined : flags[each.flag];
  if (flag !== undefined) return { text: String(flag), source: `--${each.flag}` };
  const text = env[each.env];
  const path = each.secret ? env[`${each.env}_FILE`] : undefined;
  if (path !== undefined && path !== '') {
    if (text !== undefined && text !== '') {
      return { problem: `${each.env} and ${each.env}_FILE are both set; give only one` };
    }
    return readSecretFile(`${each.env}_FILE`, path);
  }
  return text === undefined || text === '' ? undefined : { text, source: each.env };
}

function readSecretFile(source: string, path: string): Given {
  try {
    return { text: readFileSync(path, 'utf8').replace(/\r?\n$/, ''), source };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { problem: `${source}: can't read the secret: ${reason}` };
  }
}

function sourceNames(each: Setting<unknown>): string {
  const env = each.secret ? `${each.env} (or ${each.env}_FILE)` : each.env;
  return each.flag === undefined ? env : `--${each.flag} or ${env}`;
}

/** One row of a table of settings, for help texts and documentation. */
export interface SettingDescription {
  readonly env: string;
  readonly flag: string | undefined;
  readonly expects: string;
  /** The default in words; `undefined` when the setting must be given. */
  readonly default: string | undefined;
  readonly describe: string;
}

/** A row for each setting, in the order of the definition. */
export function describeSettings(definition: SettingsDefinition): readonly SettingDescription[] {
  return Object.values(definition).map((each) => ({
    env: each.secret ? `${each.env}, ${each.env}_FILE` : each.env,
    flag: each.flag === undefined ? undefined : `--${each.flag}`,
    expects: each.expects,
    default: defaultText(each),
    describe: each.describe,
  }));
}

function defaultText(each: Setting<unknown>): string | undefined {
  if (each.fallback.kind === 'required') return undefined;
  if (each.fallback.value === undefined) return 'none';
  return each.secret ? '(secret)' : (each.fallbackText ?? String(each.fallback.value));
}
