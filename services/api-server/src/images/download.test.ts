import { randomBytes } from 'node:crypto';
import type { ImageId, ProjectId } from '@factory/contracts';
import {
  createUndiciTransport,
  type HttpRequest,
  type HttpStream,
  type HttpTransport,
  HttpTransportError,
  isPublicAddress,
  systemClock,
} from '@factory/runtime';
import { describe, expect, it } from 'vitest';
import { createDownloads } from './download.ts';
import { createMemoryImageFiles } from './files.ts';
import { type ImageVersionRecord, inState } from './version.ts';
import type { DownloadProgress } from './worker.ts';

const ID = `img_${'1'.repeat(32)}` as ImageId;
const URL_OF_IT = 'https://mirror.example/a.qcow2';

function record(url: string, etag?: string): ImageVersionRecord {
  return {
    ...inState('downloading', 0),
    ...{ id: ID, projectId: `prj_${'1'.repeat(32)}` as ProjectId, name: 'a', folder: 'a' },
    ...{ visibility: 'private', message: null, expectedSha256: null, version: null, format: null },
    facts: { os: 'linux', firmware: 'bios', drivers: 'virtio', minMemoryMiB: 1, minDiskGiB: 1 },
    source: { kind: 'url', url, ...(etag === undefined ? {} : { etag }) },
    ...{ sizeBytes: 0, totalBytes: null, virtualSizeBytes: null, createdAtMs: 0 },
    copiedAtMs: null,
  };
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** The connection breaks after the body. */
  readonly isBroken?: boolean;
}

/** A network of which a function says what each request gets. */
function networkOf(answer: (request: HttpRequest) => Answer): HttpTransport {
  return {
    request: () => Promise.reject(new Error('only streams are asked for')),
    close: async () => undefined,
    stream: async (request): Promise<HttpStream> => {
      const { status, headers = {}, body = Buffer.alloc(0), isBroken } = answer(request);
      async function* chunks() {
        for (let at = 0; at < body.length; at += 1000) yield body.subarray(at, at + 1000);
        if (isBroken === true) throw new HttpTransportError(request.url, 'reset');
      }
      return { status, headers, body: chunks(), close: () => undefined };
    },
  };
}

describe('the download of an image', () => {
  const content = randomBytes(10_000);
  const setUp = (transport: HttpTransport, sizeBytesMax = 1 << 20) => {
    const files = createMemoryImageFiles();
    const progress: DownloadProgress[] = [];
    const downloads = createDownloads({ clock: systemClock, transport, files, sizeBytesMax });
    const fetch = (from: ImageVersionRecord) =>
      downloads.fetch(
        from,
        async (each) => {
          progress.push(each);
        },
        new AbortController().signal,
      );
    return { files, fetch, progress };
  };

  it('goes on where it broke off when the file is still the same one', async () => {
    const ranges: (string | undefined)[] = [];
    const { files, fetch } = setUp(
      networkOf(({ headers }) => {
        ranges.push(headers?.range);
        const from = Number(/^bytes=(\d+)-$/.exec(headers?.range ?? '')?.[1] ?? 0);
        const length = String(content.length - from);
        const rest = { 'content-length': length, etag: '"one"' };
        if (from === 0) return { status: 200, headers: rest, body: content.subarray(0, 4_000) };
        const range = { 'content-range': `bytes ${from}-9999/10000` };
        return { status: 206, headers: { ...rest, ...range }, body: content.subarray(from) };
      }),
    );
    await expect(fetch(record(URL_OF_IT))).rejects.toThrow('4000 of 10000');
    await fetch(record(URL_OF_IT, '"one"'));
    expect(ranges).toEqual([undefined, 'bytes=4000-']);
    expect(content.equals(await files.read(ID, 0, 20_000))).toBe(true);
  });

  it('begins anew when the file has changed, or nobody can tell', async () => {
    const headers = { 'content-length': '10000' };
    const { files, fetch } = setUp(networkOf(() => ({ status: 200, headers, body: content })));
    await files.write(ID, 0, Buffer.alloc(500));
    await fetch(record(URL_OF_IT, '"old"'));
    expect(content.equals(await files.read(ID, 0, 20_000))).toBe(true);
    await fetch(record(URL_OF_IT));
    expect(await files.sizeBytes(ID)).toBe(10_000);
  });

  it('takes no more than may be, whatever the server says of the length', async () => {
    const endless = setUp(
      networkOf(() => ({ status: 200, body: content })),
      5_000,
    );
    await expect(endless.fetch(record(URL_OF_IT))).rejects.toThrow('larger than 5000');
    const headers = { 'content-length': '10000' };
    const honest = setUp(
      networkOf(() => ({ status: 200, headers, body: content })),
      5_000,
    );
    await expect(honest.fetch(record(URL_OF_IT))).rejects.toThrow('larger than 5000');
    expect(await honest.files.sizeBytes(ID)).toBe(0);
  });

  it('gives up at once what will not be otherwise, and nothing else', async () => {
    const answering = (status: number, headers = {}) =>
      setUp(networkOf(() => ({ status, headers }))).fetch(record(URL_OF_IT));
    const refused = { code: 'FACTORY_ERR_DOWNLOAD_REFUSED' };
    await expect(answering(404)).rejects.toMatchObject(refused);
    await expect(answering(302, { location: 'file:///etc/passwd' })).rejects.toMatchObject(refused);
    await expect(answering(302, { location: '/again' })).rejects.toMatchObject(refused);
    await expect(answering(503)).rejects.not.toMatchObject(refused);
    await expect(answering(429)).rejects.not.toMatchObject(refused);
  });

  it('is not led to where only we can go, neither at once nor by a redirect', async () => {
    const guarded = createUndiciTransport({ allowsAddress: isPublicAddress });
    const mirror = networkOf(() => ({
      status: 302,
      headers: { location: 'http://169.254.169.254/latest/meta-data' },
    }));
    const first: HttpTransport = {
      ...guarded,
      stream: (request) => (request.url === URL_OF_IT ? mirror : guarded).stream(request),
    };
    const refused = {
      code: 'FACTORY_ERR_DOWNLOAD_REFUSED',
      message: expect.stringContaining('not in the public internet'),
    };
    const { fetch } = setUp(first);
    await expect(fetch(record(URL_OF_IT))).rejects.toMatchObject(refused);
    await expect(fetch(record('http://localhost:1/'))).rejects.toMatchObject(refused);
    await expect(fetch(record('http://[::ffff:10.0.0.1]/'))).rejects.toMatchObject(refused);
    await guarded.close();
  });
});
