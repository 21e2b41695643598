import type { FastifyInstance, FastifyReply } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { createHttpApp } from './app.ts';
import {
  type HttpRequest,
  type HttpStream,
  type HttpTransport,
  HttpTransportError,
} from './transport.ts';

/** A transport under test, with the means to serve to it. */
export interface TransportBench {
  readonly transport: HttpTransport;
  /** Serves the app; gives its origin. */
  serve(app: FastifyInstance): Promise<string>;
  /** Takes the server away, open connections and all. */
  stop(origin: string): Promise<void>;
  /** An origin where nobody serves. */
  readonly nobody: string;
  /** Lets time pass (real or virtual) until the promise settles. */
  during<T>(work: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** What every HttpTransport must do, run against each of them. */
export function describeTransportContract(name: string, create: () => Promise<TransportBench>) {
  describe(`${name} keeps the transport contract`, () => {
    let bench: TransportBench;
    let app: FastifyInstance;
    let origin: string;
    /** Raw answers of `/stream`, in order of arrival, and what became of them. */
    let opened: FastifyReply['raw'][];
    let closed: string[];

    beforeEach(async () => {
      bench = await create();
      opened = [];
      closed = [];
      app = createHttpApp({ service: 'test', clock: systemClock, logger: silentLogger });
      app.post('/echo', async (request, reply) =>
        reply.status(201).header('x-answer', 'yes').send({ got: request.body }),
      );
      app.get('/redirect', async (_request, reply) => reply.redirect('/echo'));
      app.get('/headers', async (request) => request.headers);
      app.delete('/nothing', async (_request, reply) => reply.status(204).send());
      app.get('/hang', (_request, reply) => {
        reply.hijack();
        reply.raw.on('close', () => closed.push('hang'));
      });
      app.get('/half', (_request, reply) => {
        reply.hijack();
        reply.raw.on('close', () => closed.push('half'));
        reply.raw.write('first half');
      });
      app.post('/stream', (request, reply) => {
        reply.hijack();
        reply.raw.on('close', () => closed.push('stream'));
        reply.raw.writeHead(200, { 'content-type': 'text/plain', 'x-body': String(request.body) });
        reply.raw.write('hello');
        opened.push(reply.raw);
      });
      origin = await bench.serve(app);
    });
    afterEach(() => bench.close());

    const call = (path: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
      method: 'GET',
      url: `${origin}${path}`,
      timeoutMs: 2000,
      ...more,
    });
    const openStream = async (): Promise<{ stream: HttpStream; next: () => Promise<string> }> => {
      const request = call('/stream', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '1',
      });
      const stream = await bench.during(bench.transport.stream(request));
      const iterator = stream.body[Symbol.asyncIterator]();
      const next = async (): Promise<string> => {
        const { done, value } = await bench.during(iterator.next());
        return done ? 'END' : text(value);
      };
      return { stream, next };
    };
    const seen = (what: string): Promise<void> =>
      bench.during(
        (async () => {
          for (let turn = 0; !closed.includes(what) && turn < 1000; turn += 1) {
            await new Promise((resolve) => setImmediate(resolve));
            if (turn > 100) await new Promise((resolve) => setTimeout(resolve, 2));
          }
          expect(closed).toContain(what);
        })(),
      );

    it('carries method, headers and body there, and status, headers and body back', async () => {
      const request = call('/echo?x=1', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"a":"ü"}',
      });
      const response = await bench.during(bench.transport.request(request));
      expect(response.status).toBe(201);
      expect(response.headers['x-answer']).toBe('yes');
      expect(response.headers['content-type']).toContain('application/json');
      expect(JSON.parse(text(response.body))).toEqual({ got: { a: 'ü' } });
    });

    it('names the host, and sends the headers it is given', async () => {
      const request = call('/headers', { headers: { 'X-Mixed-Case': 'v' } });
      const response = await bench.during(bench.transport.request(request));
      const headers = JSON.parse(text(response.body));
      expect(headers.host).toBe(new URL(origin).host);
      expect(headers['x-mixed-case']).toBe('v');
    });

    it('sends bytes as they are', async () => {
      const request = call('/echo', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new TextEncoder().encode('[1,2]'),
      });
      const response = await bench.during(bench.transport.request(request));
      expect(JSON.parse(text(response.body))).toEqual({ got: [1, 2] });
    });

    it('gives an empty body for 204', async () => {
      const response = await bench.during(
        bench.transport.request(call('/nothing', { method: 'DELETE' })),
      );
      expect(response.status).toBe(204);
      expect(response.body.byteLength).toBe(0);
    });

    it('gives redirects and errors to the caller as they are', async () => {
      const redirect = await bench.during(bench.transport.request(call('/redirect')));
      expect(redirect.status).toBe(302);
      const missing = await bench.during(bench.transport.request(call('/missing')));
      expect(missing.status).toBe(404);
      expect(JSON.parse(text(missing.body)).code).toBe('FACTORY_ERR_NOT_FOUND');
    });

    it('fails with HttpTransportError when nobody serves', async () => {
      const request = { method: 'GET', url: `${bench.nobody}/x`, timeoutMs: 2000 } as const;
      const failure = bench.during(bench.transport.request(request));
      await expect(failure).rejects.toThrow(HttpTransportError);
      await expect(failure).rejects.toThrow(bench.nobody);
    });

    it('gives up at the deadline when no headers come, and the server sees it', async () => {
      const failure = bench.during(bench.transport.request(call('/hang', { timeoutMs: 60 })));
      await expect(failure).rejects.toThrow(HttpTransportError);
      await expect(failure).rejects.toThrow('60 ms');
      await seen('hang');
    });

    it('gives up at the deadline when the body does not end', async () => {
      const failure = bench.during(bench.transport.request(call('/half', { timeoutMs: 60 })));
      await expect(failure).rejects.toThrow('60 ms');
      await seen('half');
    });

    it('gives up when the signal aborts, with its reason as the cause', async () => {
      const controller = new AbortController();
      const reason = new Error('changed my mind');
      const request = call('/hang', { signal: controller.signal });
      const pending = bench.transport.request(request);
      pending.catch(() => undefined);
      controller.abort(reason);
      await expect(bench.during(pending)).rejects.toMatchObject({
        code: 'FACTORY_ERR_HTTP_TRANSPORT',
        cause: reason,
      });
      const late = bench.during(bench.transport.request(request));
      await expect(late).rejects.toMatchObject({ cause: reason });
    });

    it('streams chunks as they are written, until the server ends', async () => {
      const { stream, next } = await openStream();
      expect(stream.status).toBe(200);
      expect(stream.headers['x-body']).toBe('1');
      expect(await next()).toBe('hello');
      opened[0]?.write('again');
      expect(await next()).toBe('again');
      opened[0]?.end();
      expect(await next()).toBe('END');
    });

    it('tells the server when the client closes its stream, and ends the reading', async () => {
      const { stream, next } = await openStream();
      expect(await next()).toBe('hello');
      const pending = next();
      stream.close();
      expect(await pending).toBe('END');
      await seen('stream');
      expect(opened[0]?.write('into the void')).toBeTypeOf('boolean');
    });

    it('closes the stream when the reader leaves its loop', async () => {
      const stream = await bench.during(
        bench.transport.stream(call('/stream', { method: 'POST' })),
      );
      await bench.during(
        (async () => {
          for await (const chunk of stream.body) {
            expect(text(chunk)).toBe('hello');
            break;
          }
        })(),
      );
      await seen('stream');
    });

    it('breaks the reading with HttpTransportError when the server cuts the stream', async () => {
      const { next } = await openStream();
      expect(await next()).toBe('hello');
      opened[0]?.destroy();
      await expect(next()).rejects.toThrow(HttpTransportError);
    });

    it('breaks open streams, and refuses calls, when the server goes away', async () => {
      const { next } = await openStream();
      expect(await next()).toBe('hello');
      const pending = next();
      pending.catch(() => undefined);
      await bench.stop(origin);
      await expect(pending).rejects.toThrow(HttpTransportError);
      const failure = bench.during(bench.transport.request(call('/headers')));
      await expect(failure).rejects.toThrow(HttpTransportError);
    });

    it('bounds the wait for the headers of a stream only', async () => {
      const failure = bench.during(bench.transport.stream(call('/hang', { timeoutMs: 60 })));
      await expect(failure).rejects.toThrow('60 ms');
      const slow = await bench.during(
        bench.transport.stream(call('/stream', { method: 'POST', timeoutMs: 60 })),
      );
      const iterator = slow.body[Symbol.asyncIterator]();
      await bench.during(iterator.next());
      const pending = iterator.next();
      await bench
        .during(bench.transport.request(call('/hang', { timeoutMs: 120 })))
        .catch((error: unknown) => expect(error).toBeInstanceOf(HttpTransportError));
      opened[0]?.write('still here');
      const { value } = await bench.during(pending);
      expect(text(value)).toBe('still here');
    });

    it('breaks an open stream when its signal aborts', async () => {
      const controller = new AbortController();
      const request = call('/stream', { method: 'POST', signal: controller.signal });
      const stream = await bench.during(bench.transport.stream(request));
      const iterator = stream.body[Symbol.asyncIterator]();
      await bench.during(iterator.next());
      const pending = iterator.next();
      pending.catch(() => undefined);
      const reason = new Error('enough');
      controller.abort(reason);
      await expect(bench.during(pending)).rejects.toMatchObject({ cause: reason });
      await seen('stream');
    });

    it('ends everything on close', async () => {
      const { stream, next } = await openStream();
      expect(await next()).toBe('hello');
      const hanging = bench.transport.request(call('/hang'));
      const reading = stream.body[Symbol.asyncIterator]().next();
      const settled = Promise.allSettled([hanging, reading]);
      await bench.transport.close();
      for (const result of await bench.during(settled)) {
        const reason = result.status === 'rejected' ? result.reason : result.value;
        expect(reason).toBeInstanceOf(HttpTransportError);
      }
      const late = bench.during(bench.transport.request(call('/headers')));
      await expect(late).rejects.toThrow(HttpTransportError);
    });

    it('carries a large body without holding up the reader', async () => {
      const { next } = await openStream();
      expect(await next()).toBe('hello');
      const big = 'x'.repeat(3 * 1024 * 1024);
      opened[0]?.end(big);
      let size = 0;
      for (let chunk = await next(); chunk !== 'END'; chunk = await next()) size += chunk.length;
      expect(size).toBe(big.length);
    });
  });
}
