/**
 * The paths of all that one JSON value has and another has not; values may differ. What any element
 * of a list has, one of the other's has to have. Lists of `{ name, value }` count as objects.
 */
export function missingKeys(theirs: unknown, ours: unknown, path = ''): readonly string[] {
  if (Array.isArray(theirs)) return missingElements(theirs, ours, path);
  if (!isObject(theirs)) return ours === undefined ? [path] : [];
  if (!isObject(ours)) return [path];
  return Object.entries(theirs).flatMap(([key, value]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return key in ours ? missingKeys(value, ours[key], at) : [at];
  });
}

function missingElements(theirs: readonly unknown[], ours: unknown, path: string) {
  if (!Array.isArray(ours)) return [path];
  if (theirs.length === 0) return [];
  if (theirs.every(isNamed) && ours.every(isNamed)) {
    return missingKeys(byName(theirs), byName(ours), '');
  }
  if (ours.length === 0) return [`${path}[]`];
  return missingKeys(merged(theirs), merged(ours), `${path}[]`);
}

interface Named {
  readonly name: string;
  readonly value: unknown;
}

function isNamed(value: unknown): value is Named {
  return isObject(value) && Object.keys(value).length === 2 && 'name' in value && 'value' in value;
}

function byName(list: readonly Named[]): object {
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

/** One value with the keys of all of them. */
function merged(values: readonly unknown[]): unknown {
  if (values.every(Array.isArray)) return values.flat();
  if (!values.every(isObject)) return values[0];
  const keys = new Set(values.flatMap((value) => Object.keys(value)));
  return Object.fromEntries(
    [...keys].map((key) => [
      key,
      merged(values.filter((each) => key in each).map((each) => each[key])),
    ]),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
