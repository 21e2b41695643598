import { destination, type Logger as PinoLogger, pino } from 'pino';

/** Structured log: one JSON line an entry; ids go into the fields, not into the text. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds `fields` to every entry. */
  child(fields: Record<string, unknown>): Logger;
}

/** Names of fields whose values never reach a log. */
const SECRET_FIELDS = ['secret', 'token', 'password', 'authorization', 'signature', 'privateKey'];

/** A logger on standard error, at the level of `FACTORY_LOG_LEVEL`. */
export function createLogger(service: string, level = 'info'): Logger {
  const redact = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]);
  const options = { name: service, level, redact, base: { service } };
  const logger: PinoLogger = pino(options, destination({ dest: 2, sync: false }));
  return logger;
}

/** Swallows everything: for tests and simulations that read state, not logs. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
