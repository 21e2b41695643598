/**
 * A process can't start, for a reason that whoever starts it can mend: the message says what is wrong
 * and what to do, so that no stack is needed.
 */
export class StartError extends Error {
  readonly code: string = 'FACTORY_ERR_START';

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
  }
}
