/** A URI could not be brought into a sandbox; the message says why, for the framework to read. */
export class FetchError extends Error {
  readonly code = 'MESOS_ERR_FETCH';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FetchError';
  }
}
