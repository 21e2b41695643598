/**
 * What people and keys are in an organisation: `admin` manages it, `operator` and `member` make and
 * operate machines, `viewer` looks, `partner` sees what became of its own clusters. In the
 * organisation that runs the factory, admins and operators also run the factory itself.
 */
export const ROLES = ['admin', 'operator', 'member', 'viewer', 'partner'] as const;
export type Role = (typeof ROLES)[number];
