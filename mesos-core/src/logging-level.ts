import { type Clock, choiceSetting, type Logger, type Timer } from '@factory/runtime';
import { namesOf } from './command-line.ts';
import { MesosHttpError } from './http/mesos-http.ts';
import { parseDurationMs } from './protocol/index.ts';

/** Mesos has no higher ones. */
const LEVEL_MAX = 3;

/**
 * How much is logged (`SET_LOGGING_LEVEL`, `/logging/toggle`): above 0, what is for debugging comes
 * out too, until the time that was asked for is over.
 */
export class LoggingLevel {
  readonly #clock: Clock;
  #level = 0;
  #reversal: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get level(): number {
    return this.#level;
  }

  /** @throws MesosHttpError 400 when there is no such level. */
  set(level: number, durationMs: number): void {
    if (!Number.isInteger(level) || level < 0) {
      throw new MesosHttpError(400, `Invalid level '${level}'`);
    }
    if (level > LEVEL_MAX) {
      throw new MesosHttpError(400, `Invalid level '${level}': the highest is ${LEVEL_MAX}`);
    }
    this.#reversal?.cancel();
    this.#level = level;
    this.#reversal = this.#clock.after(durationMs, () => this.close());
  }

  /** As `/logging/toggle?level=1&duration=10mins` has it. @throws MesosHttpError 400. */
  toggle(query: URLSearchParams): void {
    const [level, duration] = [query.get('level'), query.get('duration')];
    if (level === null && duration === null) return;
    if (level === null) throw new MesosHttpError(400, "Expecting 'level=value' in query.");
    if (duration === null) throw new MesosHttpError(400, "Expecting 'duration=value' in query.");
    const durationMs = parseDurationMs(duration);
    if (durationMs === undefined) throw new MesosHttpError(400, `Invalid duration '${duration}'`);
    this.set(level === '' ? Number.NaN : Number(level), durationMs);
  }

  /** Back to what it was at the start. */
  close(): void {
    this.#reversal?.cancel();
    this.#level = 0;
  }

  /** A logger that says as much as this level asks for. */
  logger(inner: Logger): Logger {
    return {
      debug: (fields, message) =>
        this.#level > 0 ? inner.info(fields, message) : inner.debug(fields, message),
      info: (fields, message) => inner.info(fields, message),
      warn: (fields, message) => inner.warn(fields, message),
      error: (fields, message) => inner.error(fields, message),
      child: (fields) => this.logger(inner.child(fields)),
    };
  }
}

/** `--logging_level`, of masters and agents. */
export const LOGGING_FLAGS = {
  loggingLevel: choiceSetting({
    ...namesOf('logging_level'),
    describe: 'what matters less than this is not logged',
    choices: ['INFO', 'WARNING', 'ERROR'],
    default: 'INFO',
  }),
};

/** A logger that leaves out what matters less than `--logging_level` says. */
export function atLeast(inner: Logger, loggingLevel: 'INFO' | 'WARNING' | 'ERROR'): Logger {
  if (loggingLevel === 'INFO') return inner;
  const isError = loggingLevel === 'ERROR';
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => (isError ? undefined : inner.warn(fields, message)),
    error: (fields, message) => inner.error(fields, message),
    child: (fields) => atLeast(inner.child(fields), loggingLevel),
  };
}
