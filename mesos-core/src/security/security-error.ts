/** Credentials, a key or ACLs can't be used as they are. Never holds a secret. */
export class SecurityConfigError extends Error {
  readonly code = 'MESOS_ERR_SECURITY_CONFIG';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'SecurityConfigError';
  }
}
