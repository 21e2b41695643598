import { choiceSetting, optional, SettingsError, textSetting } from '@factory/runtime';
import { namesOf, textOrFile } from '../command-line.ts';
import { parseResources, type Resources } from '../protocol/index.ts';

/** Of Mesos' own modules the one that needs no code of an operator's. */
const FIXED_ESTIMATOR = 'org_apache_mesos_FixedResourceEstimator';

/** The agent's flags about resources that are lent out beyond what it has. */
export const OVERSUBSCRIPTION_FLAGS = {
  resourceEstimator: optional(
    choiceSetting({
      ...namesOf('resource_estimator'),
      describe:
        'offers more than the agent has, as revocable resources, to frameworks with ' +
        'REVOCABLE_RESOURCES: always as much as the parameter `resources` of this module says',
      choices: [FIXED_ESTIMATOR],
    }),
  ),
  modules: optional(
    textSetting({
      ...namesOf('modules'),
      describe: `parameters of ${FIXED_ESTIMATOR}: JSON in Mesos' form, or file:///path`,
    }),
  ),
};

/**
 * The revocable resources that the agent has by these flags.
 * @throws SettingsError when the flags don't fit together, ParseError when the resources are wrong.
 */
export function oversubscribedResources(flags: {
  readonly resourceEstimator: string | undefined;
  readonly modules: string | undefined;
}): Resources {
  const { resourceEstimator, modules } = flags;
  const parameters = new Map(modules === undefined ? [] : parametersOf(modules));
  if (resourceEstimator === undefined) return [];
  const text = parameters.get('resources');
  if (text === undefined) {
    throw new SettingsError([`--resource_estimator needs 'resources' of it in --modules`]);
  }
  return parseResources(text).map((resource) => ({ ...resource, revocable: {} }));
}

/** Key and value of each parameter. Mesos takes a single element for a list of one. */
function parametersOf(text: string): readonly (readonly [string, string])[] {
  const modules = listAt(parseObject(text), 'libraries').flatMap((each) => listAt(each, 'modules'));
  const unknown = modules.find(({ name }) => name !== FIXED_ESTIMATOR);
  if (unknown !== undefined) {
    const what = `knows ${FIXED_ESTIMATOR} alone; got ${JSON.stringify(unknown.name)}`;
    throw new SettingsError([`--modules ${what}`]);
  }
  return modules
    .flatMap((each) => listAt(each, 'parameters'))
    .map(({ key, value }) => [String(key), String(value)]);
}

function parseObject(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(textOrFile('--modules', text));
  } catch {
    throw new SettingsError(['--modules must be JSON, or file:///path of a file with it']);
  }
  if (isObject(value)) return value;
  throw new SettingsError(['--modules must be a JSON object']);
}

type Json = Readonly<Record<string, unknown>>;

function listAt(json: Json, name: string): readonly Json[] {
  return [json[name] ?? []].flat().filter(isObject);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
