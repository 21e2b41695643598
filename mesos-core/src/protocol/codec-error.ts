/** Something is not the message it should be. `message` is worded as in Mesos' 400 answers. */
export class CodecError extends Error {
  readonly code = 'MESOS_ERR_CODEC';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CodecError';
  }
}
