import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { HttpRequest, HttpResponse, HttpStream, HttpTransport } from '@factory/runtime';
import { credentialFor, type RegistryCredentials } from './docker-config.ts';
import { ImageError, parseJson } from './image.ts';
import { DIGEST, type ImageReference } from './reference.ts';

const CALL_TIMEOUT_MS = 30_000;
const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
const REDIRECTS_MAX = 5;

const LISTS = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** Something that a registry (or an OCI layout) keeps by its digest. */
export interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly mediaType?: string;
  readonly platform?: { readonly os?: string; readonly architecture?: string };
}

/** What an image consists of. */
export interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

interface RawManifest extends Partial<Manifest> {
  readonly manifests?: readonly Descriptor[];
}

/** The architecture of this machine, in the words of images. */
export function imageArchitecture(arch: string = process.arch): string {
  return { x64: 'amd64', ia32: '386' }[arch] ?? arch;
}

/**
 * The manifest for this machine out of an index, or nothing when the text is a manifest. Pure.
 * @throws ImageError when there is none for this machine, or it is malformed.
 */
export function readManifest(
  text: string,
  architecture: string,
): { readonly manifest: Manifest } | { readonly next: Descriptor } {
  const { manifests, config, layers } = parseJson<RawManifest>(text, 'the manifest');
  if (manifests !== undefined) {
    const fits = manifests.filter(
      ({ platform }) =>
        platform === undefined ||
        (platform.os === 'linux' && platform.architecture === architecture),
    );
    const [next] = fits;
    if (next === undefined) throw new ImageError(`the image is not there for ${architecture}`);
    return { next: expectDescriptor(next) };
  }
  if (config === undefined || layers === undefined) {
    throw new ImageError('the manifest is of a kind that is not supported');
  }
  return { manifest: { config: expectDescriptor(config), layers: layers.map(expectDescriptor) } };
}

function expectDescriptor(descriptor: Descriptor): Descriptor {
  // It becomes a file name, and is all that vouches for the content.
  if (!DIGEST.test(descriptor.digest) || !Number.isSafeInteger(descriptor.size)) {
    throw new ImageError(`the manifest names ${JSON.stringify(descriptor.digest)}, no digest`);
  }
  return descriptor;
}

/** Reads images from registries by the Docker registry API v2, with tokens where they are asked for. */
export class RegistryClient {
  readonly #transport: HttpTransport;
  readonly #defaultUrl: string;
  readonly #credentials: RegistryCredentials;
  /** Values of the header `authorization`, by what they are for. */
  readonly #authorizations = new Map<string, string>();

  constructor(options: {
    readonly transport: HttpTransport;
    /** For names without a host: `https://registry-1.docker.io`. */
    readonly defaultUrl: string;
    readonly credentials?: RegistryCredentials | undefined;
  }) {
    this.#credentials = options.credentials ?? new Map();
    this.#transport = options.transport;
    this.#defaultUrl = options.defaultUrl.replace(/\/$/, '');
  }

  /** A client for somebody who has credentials of his own besides; it shares no tokens. */
  withCredentials(own: RegistryCredentials): RegistryClient {
    return new RegistryClient({
      ...{ transport: this.#transport, defaultUrl: this.#defaultUrl },
      credentials: new Map([...this.#credentials, ...own]),
    });
  }

  /** @throws ImageError, HttpTransportError */
  async manifest(reference: ImageReference, architecture: string): Promise<Manifest> {
    let wanted = reference.digest ?? reference.tag;
    // An index names manifests, and may name another index.
    for (let depth = 0; depth < 3; depth += 1) {
      const url = `${this.#repositoryUrl(reference)}/manifests/${wanted}`;
      const accept = [...LISTS, ...MANIFESTS].join(', ');
      const { body } = await this.#get(url, { accept }, reference);
      if (body.length > MANIFEST_BYTES_MAX) throw new ImageError('the manifest is too large');
      if (wanted.startsWith('sha256:') && digestOf(body) !== wanted) {
        throw new ImageError(`the manifest ${wanted} is not what its digest says`);
      }
      const found = readManifest(Buffer.from(body).toString('utf8'), architecture);
      if ('manifest' in found) return found.manifest;
      wanted = found.next.digest;
    }
    throw new ImageError('the indexes of the image go round in circles');
  }

  /**
   * Writes a blob to a file.
   * @throws ImageError when it is not what its digest and its size say.
   */
  async download(reference: ImageReference, blob: Descriptor, path: string): Promise<void> {
    const url = `${this.#repositoryUrl(reference)}/blobs/${blob.digest}`;
    const stream = await this.#stream(url, reference);
    const file = await open(path, 'w', 0o600);
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const chunk of stream.body) {
        bytes += chunk.length;
        if (bytes > blob.size) throw new ImageError(`${blob.digest} is larger than it says`);
        hash.update(chunk);
        await file.write(chunk);
      }
      await file.sync();
    } finally {
      stream.close();
      await file.close();
    }
    if (bytes !== blob.size || `sha256:${hash.digest('hex')}` !== blob.digest) {
      throw new ImageError(`${blob.digest} is not what its digest says`);
    }
  }

  #repositoryUrl({ registry, repository }: ImageReference): string {
    const base = registry === undefined ? this.#defaultUrl : registryUrl(registry);
    // Docker's own images have a directory that nobody writes.
    const isLibrary = base.endsWith('docker.io') && !repository.includes('/');
    return `${base}/v2/${isLibrary ? 'library/' : ''}${repository}`;
  }

  async #get(
    url: string,
    headers: Readonly<Record<string, string>>,
    reference: ImageReference,
  ): Promise<HttpResponse> {
    const answer = await this.#authorized(url, headers, reference, (request) =>
      this.#transport.request(request),
    );
    if (answer.status !== 200) throw new ImageError(`${url} answered ${answer.status}`);
    return answer;
  }

  async #stream(url: string, reference: ImageReference): Promise<HttpStream> {
    let answer = await this.#authorized(url, {}, reference, (request) =>
      this.#transport.stream(request),
    );
    for (let hops = 0; hops < REDIRECTS_MAX && isRedirect(answer.status); hops += 1) {
      const location = new URL(answer.headers.location ?? '', url).href;
      answer.close();
      // The place that blobs are at must not see the registry's token.
      answer = await this.#transport.stream({
        ...{ method: 'GET', url: location, timeoutMs: CALL_TIMEOUT_MS },
      });
    }
    if (answer.status === 200) return answer;
    answer.close();
    throw new ImageError(`${url} answered ${answer.status}`);
  }

  async #authorized<T extends HttpResponse | HttpStream>(
    url: string,
    headers: Readonly<Record<string, string>>,
    reference: ImageReference,
    send: (request: HttpRequest) => Promise<T>,
  ): Promise<T> {
    const scope = `${reference.registry ?? ''}/${reference.repository}`;
    const request = (): HttpRequest => {
      const authorization = this.#authorizations.get(scope);
      const all = { ...headers, ...(authorization === undefined ? {} : { authorization }) };
      return { method: 'GET', url, headers: all, timeoutMs: CALL_TIMEOUT_MS };
    };
    const first = await send(request());
    if (first.status !== 401) return first;
    if ('close' in first) first.close();
    const challenge = first.headers['www-authenticate'] ?? '';
    this.#authorizations.set(scope, await this.#authorization(challenge, url));
    return send(request());
  }

  async #authorization(challenge: string, url: string): Promise<string> {
    const basic = credentialFor(this.#credentials, url);
    if (!/^basic\b/i.test(challenge)) return `Bearer ${await this.#token(challenge, url, basic)}`;
    if (basic === undefined) throw new ImageError(`${new URL(url).host} wants credentials`);
    return basic;
  }

  /** Docker registry token authentication: the registry names who gives tokens, and for what. */
  async #token(challenge: string, registry: string, basic: string | undefined): Promise<string> {
    const fields = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
    );
    const { realm, service, scope } = fields;
    if (!/^bearer /i.test(challenge) || realm === undefined) {
      throw new ImageError('the registry wants credentials of a kind that is not supported');
    }
    const url = new URL(realm);
    if (basic !== undefined && url.protocol !== 'https:' && registry.startsWith('https:')) {
      throw new ImageError(`${realm} is not safe for credentials of ${new URL(registry).host}`);
    }
    if (service !== undefined) url.searchParams.set('service', service);
    if (scope !== undefined) url.searchParams.set('scope', scope);
    const answer = await this.#transport.request({
      ...{ method: 'GET', url: url.href, timeoutMs: CALL_TIMEOUT_MS },
      ...(basic === undefined ? {} : { headers: { authorization: basic } }),
    });
    if (answer.status !== 200) throw new ImageError(`${realm} gave no token: ${answer.status}`);
    const text = Buffer.from(answer.body).toString('utf8');
    const found = parseJson<{ token?: string; access_token?: string }>(text, 'the token');
    const token = found.token ?? found.access_token;
    if (token === undefined) throw new ImageError(`${realm} gave no token`);
    return token;
  }
}

function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/** As Docker: registries on this machine are spoken to without TLS. */
function registryUrl(host: string): string {
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
  return `${isLocal ? 'http' : 'https'}://${host}`;
}

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
