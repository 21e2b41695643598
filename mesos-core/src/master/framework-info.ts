import type { FrameworkInfo } from '../protocol/index.ts';
import { hasCapability } from './state.ts';

/**
 * What is wrong with a framework's description, in Mesos' words, or `undefined`. Pure.
 */
export function frameworkInfoProblem(info: FrameworkInfo): string | undefined {
  if (hasCapability(info, 'MULTI_ROLE')) {
    if (info.role !== undefined) {
      return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable";
    }
    const invalid = (info.roles ?? []).map(roleProblem).find((problem) => problem !== undefined);
    return invalid === undefined
      ? duplicateProblem(info.roles ?? [])
      : `'FrameworkInfo.roles' contains invalid role: ${invalid}`;
  }
  if ((info.roles ?? []).length > 0) {
    return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable";
  }
  const invalid = info.role === undefined ? undefined : roleProblem(info.role);
  return invalid === undefined ? undefined : `'FrameworkInfo.role' is not a valid role: ${invalid}`;
}

function duplicateProblem(roles: readonly string[]): string | undefined {
  const duplicate = roles.find((role, index) => roles.indexOf(role) !== index);
  return duplicate === undefined
    ? undefined
    : `'FrameworkInfo.roles' contains duplicate items: ${duplicate}`;
}

/** Each part between slashes: not empty, not `.` or `..`, no leading dash, no odd characters. */
export function roleProblem(role: string): string | undefined {
  if (role === '*') return undefined;
  if (role === '') return 'Empty role name is invalid';
  if (role.startsWith('/')) return `Role '${role}' cannot start with a slash`;
  if (role.endsWith('/')) return `Role '${role}' cannot end with a slash`;
  for (const part of role.split('/')) {
    if (part === '') return `Role '${role}' contains two adjacent slashes`;
    if (part === '.' || part === '..') return `Role component '${part}' is invalid`;
    if (part === '*') return "Role component '*' is invalid";
    if (part.startsWith('-'))
      return `Role component '${part}' is invalid because it begins with a dash`;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: backspace and DEL are what it looks for.
    if (/[\s\b\u007F]/.test(part)) {
      return `Role component '${part}' is invalid because it contains backspace or whitespace`;
    }
  }
  return undefined;
}
