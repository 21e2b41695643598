import { destination, type Logger as PinoLogger, pino } from 'pino';
import { currentRequest } from './request-context.ts';

/** Structured log: one JSON line an entry; ids go into the fields, not into the text. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds `fields` to every entry. */
  child(fields: Record<string, unknown>): Logger;
}

/** The logger of a process: what it wrote is on its way, not yet written. */
export interface ProcessLogger extends Logger {
  /** Resolves when everything logged so far has left the process, in order; to be awaited before exiting. */
  written(): Promise<void>;
}

/** Names of fields whose values never reach a log. */
const SECRET_FIELDS = ['secret', 'token', 'password', 'authorization', 'signature', 'privateKey'];

/**
 * A logger on standard error, at the level of `FACTORY_LOG_LEVEL`. What is done on behalf of a
 * request names it as `requestId`.
 */
export function createLogger(service: string, level = 'info'): ProcessLogger {
  const redact = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]);
  const mixin = (): object => {
    const request = currentRequest();
    return request === undefined ? {} : { requestId: request.requestId };
  };
  const options = { name: service, level, redact, base: { service }, mixin };
  // With no least length, sonic-boom 4.2.1 calls back from `flush` before it wrote anything.
  const logger: PinoLogger = pino(options, destination({ dest: 2, sync: false, minLength: 1 }));
  // An error of the flush is that of syncing a pipe or terminal, which can't be; it was written.
  const written = () => new Promise<void>((resolve) => logger.flush(() => resolve()));
  return Object.assign(logger, { written });
}

/** Swallows everything: for tests and simulations that read state, not logs. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
