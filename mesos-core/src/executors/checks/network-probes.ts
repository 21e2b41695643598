import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect } from 'node:net';
import type { NetworkProbes } from './prober.ts';

/** As curl, which Mesos calls, does by default with -L. */
const REDIRECTS_COUNT_MAX = 50;

/** Looks over real sockets. Certificates are not verified, as in Mesos (curl -k). */
export const networkProbes: NetworkProbes = {
  async http({ scheme, port, path }, host, signal) {
    const shownHost = host.includes(':') ? `[${host}]` : host;
    const slash = path.startsWith('/') ? '' : '/';
    let url = new URL(`${scheme}://${shownHost}:${port}${slash}${path}`);
    for (let redirects = 0; redirects <= REDIRECTS_COUNT_MAX; redirects += 1) {
      const { status, location } = await head(url, signal);
      if (status < 300 || status > 399 || location === undefined) return status;
      url = new URL(location, url);
    }
    throw new Error(`more than ${REDIRECTS_COUNT_MAX} redirects`);
  },
  tcp({ port }, host, signal) {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, signal });
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', (error) => {
        socket.destroy();
        if (signal.aborted) reject(error);
        else resolve(false);
      });
    });
  },
};

function head(
  url: URL,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage): void => {
      resolve({ status: answer.statusCode ?? 0, location: answer.headers.location });
      // What the task has to say beyond its status is of no interest, and may be endless.
      answer.destroy();
    };
    const request =
      url.protocol === 'https:'
        ? httpsGet(url, { signal, rejectUnauthorized: false, agent: false }, onAnswer)
        : httpGet(url, { signal, agent: false }, onAnswer);
    request.once('error', reject);
  });
}
