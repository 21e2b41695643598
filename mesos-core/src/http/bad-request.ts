import { MesosHttpError } from './mesos-http.ts';

/**
 * Reads what a caller sent.
 * @param failure how the refusal begins; the reason follows.
 * @throws MesosHttpError 400 when it can't be read.
 */
export function readOrRefuse<T>(failure: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MesosHttpError(400, `${failure}: ${why}`);
  }
}
