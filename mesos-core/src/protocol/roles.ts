/**
 * Why a text is no name of a role, in Mesos' words, or `undefined`. Each part between slashes: not
 * empty, not `.` or `..`, no leading dash, no odd characters.
 */
export function roleNameProblem(role: string): string | undefined {
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
    if (/[\s\b\u007F]/.test(part)) {
      return `Role component '${part}' is invalid because it contains backspace or whitespace`;
    }
  }
  return undefined;
}
