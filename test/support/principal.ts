/** The headers that the gateway sends for an admin of a project of the factory's own organisation. */
export function adminHeaders(projectId: string, internalToken: string): Record<string, string> {
  return {
    authorization: `Bearer ${internalToken}`,
    'x-factory-principal': JSON.stringify({
      ...{ actor: `key_${'1'.repeat(32)}`, organisationId: `org_${'1'.repeat(32)}` },
      ...{ projectId, role: 'admin', isPlatform: true },
    }),
  };
}
