/** Mesos has no limit; but each level is a node of the allocator's tree, and in many answers. */
const LEVELS_MAX = 32;
const ROLE_BYTES_MAX = 1024;

/**
 * Why a text is no name of a role, in Mesos' words, or `undefined`. Each part between slashes: not
 * empty, not `.` or `..`, no leading dash, no odd characters.
 */
export function roleNameProblem(role: string): string | undefined {
  if (role === '*') return undefined;
  if (role === '') return 'Empty role name is invalid';
  if (Buffer.byteLength(role) > ROLE_BYTES_MAX) {
    return `Role '${role.slice(0, 50)}…' is longer than ${ROLE_BYTES_MAX} bytes`;
  }
  if (role.startsWith('/')) return `Role '${role}' cannot start with a slash`;
  if (role.endsWith('/')) return `Role '${role}' cannot end with a slash`;
  const parts = role.split('/');
  if (parts.length > LEVELS_MAX) return `Role '${role}' has more than ${LEVELS_MAX} levels`;
  for (const part of parts) {
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
