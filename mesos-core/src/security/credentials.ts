import { SecurityConfigError } from './security-error.ts';

/** A principal and its secret. */
export interface PlainCredential {
  readonly principal: string;
  readonly secret: string;
}

/**
 * The content of Mesos' `--credentials` file: JSON, `{"credentials": [{"principal", "secret"}]}`, or
 * one `principal secret` a line.
 * @throws SecurityConfigError that says where it is wrong, without what stands there.
 */
export function parseCredentials(text: string): readonly PlainCredential[] {
  const credentials = text.trimStart().startsWith('{') ? parseJson(text) : parseLines(text);
  const names = credentials.map(({ principal }) => principal);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new SecurityConfigError(`principal ${twice} is there twice`);
  return credentials;
}

/**
 * The content of an agent's `--credential` file: `{"principal", "secret"}` or one line.
 * @throws SecurityConfigError when it is not exactly one.
 */
export function parseCredential(text: string): PlainCredential {
  const credentials = text.trimStart().startsWith('{')
    ? [readCredential(parseObject(text), 'the credential')]
    : parseLines(text);
  const [only] = credentials;
  if (only === undefined || credentials.length > 1) {
    throw new SecurityConfigError(`expecting one credential, there are ${credentials.length}`);
  }
  return only;
}

function parseJson(text: string): readonly PlainCredential[] {
  const { credentials } = parseObject(text);
  if (!Array.isArray(credentials)) {
    throw new SecurityConfigError("expecting a list 'credentials' in the JSON object");
  }
  return credentials.map((entry: unknown, index) => {
    return readCredential(entry, `credential ${index + 1}`);
  });
}

function readCredential(entry: unknown, what: string): PlainCredential {
  if (typeof entry === 'object' && entry !== null && 'principal' in entry && 'secret' in entry) {
    const { principal, secret } = entry;
    if (typeof principal === 'string' && typeof secret === 'string' && principal !== '') {
      return { principal, secret };
    }
  }
  throw new SecurityConfigError(`${what}: expecting texts 'principal' and 'secret'`);
}

function parseObject(text: string): { readonly credentials?: unknown } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would show a piece of the text.
    throw new SecurityConfigError('it is neither JSON nor lines of principal and secret');
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new SecurityConfigError('expecting a JSON object');
}

function parseLines(text: string): readonly PlainCredential[] {
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    const [principal = '', secret, ...rest] = line.trim().split(/\s+/);
    if (secret === undefined || rest.length > 0) {
      throw new SecurityConfigError(`line ${index + 1}: expecting a principal and a secret`);
    }
    return [{ principal, secret }];
  });
}
