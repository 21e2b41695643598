import type { CommandInfo, EnvironmentVariable, Secret } from '../../protocol/index.ts';

/** What is wrong with a command, in Mesos' words, or `undefined`. Only its environment is looked at. */
export function commandProblem({ environment }: CommandInfo): string | undefined {
  for (const variable of environment?.variables ?? []) {
    const problem = variableProblem(variable);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function variableProblem({
  name,
  type = 'VALUE',
  value,
  secret,
}: EnvironmentVariable): string | undefined {
  const where = `Environment variable '${name}'`;
  switch (type) {
    case 'VALUE':
      if (value === undefined) return `${where} of type 'VALUE' must have a value set`;
      return secret && `${where} of type 'VALUE' must not have a secret set`;
    case 'SECRET': {
      if (secret === undefined) return `${where} of type 'SECRET' must have a secret set`;
      if (value !== undefined) return `${where} of type 'SECRET' must not have a value set`;
      const problem = secretProblem(secret);
      if (problem !== undefined) return `${where} specifies an invalid secret: ${problem}`;
      return hasNullByte(secret)
        ? `${where} specifies a secret containing null bytes, which is not allowed in the environment`
        : undefined;
    }
    case 'UNKNOWN':
      return "Environment variable of type 'UNKNOWN' is not allowed";
  }
}

function secretProblem({ type = 'UNKNOWN', reference, value }: Secret): string | undefined {
  switch (type) {
    case 'REFERENCE':
      if (reference === undefined) {
        return "Secret of type REFERENCE must have the 'reference' field set";
      }
      return (
        value && `Secret '${reference.name}' of type REFERENCE must not have the 'value' field set`
      );
    case 'VALUE':
      if (value === undefined) return "Secret of type VALUE must have the 'value' field set";
      return reference && "Secret of type VALUE must not have the 'reference' field set";
    case 'UNKNOWN':
      return "Secret of type 'UNKNOWN' is not allowed";
  }
}

function hasNullByte({ value }: Secret): boolean {
  return value !== undefined && Buffer.from(value.data, 'base64').includes(0);
}
