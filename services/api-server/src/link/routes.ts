import {
  EnrolRequestSchema,
  ExchangeRequestSchema,
  ImageContentRequestSchema,
  ImagePartSchema,
  ImagesRequestSchema,
  LinkConformanceSchema,
  LinkMetricsSchema,
  PROBLEMS,
  RotateRequestSchema,
  SessionRequestSchema,
} from '@factory/contracts';
import { type Clock, ProblemError } from '@factory/runtime';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { LinkPeer } from '../clusters/store.ts';
import type { ConformanceService } from '../conformance/service.ts';
import { goneSignal } from '../http/gone.ts';
import type { ImageLink } from '../images/link.ts';
import type { MetricsService } from '../vm-metrics/service.ts';
import { type LinkClaim, readLinkClaim, requireLinkSignature } from './authenticate.ts';
import { type LinkService, requireVersion } from './service.ts';

/** 2,000 reports, or 20,000 hosts. */
const EXCHANGE_BYTES_MAX = 16 * 1024 * 1024;

declare module 'fastify' {
  interface FastifyRequest {
    linkClaim: LinkClaim | undefined;
    linkPeer: LinkPeer | undefined;
  }
}

interface LinkRouteParts {
  readonly link: LinkService;
  readonly images: ImageLink;
  readonly use: MetricsService;
  readonly conformance: ConformanceService;
  readonly clock: Clock;
}

/** `/cluster-link/v1`. To be registered as a plugin of its own: it reads bodies as bytes first. */
export function linkRoutes(
  instance: FastifyInstance,
  { link, images, clock, use, conformance }: LinkRouteParts,
): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post('/cluster-link/v1/enrol', { schema: { body: EnrolRequestSchema } }, async (request) => ({
    clusterId: await link.enrol(request.body),
  }));
  app.register(async (signed) => {
    signByCluster(signed, link, clock);
    signedRoutes(signed, link);
    keyRoute(signed, link);
    conformanceRoute(signed, conformance);
    useRoute(signed, use);
    imageLinkRoutes(signed, images);
  });
}

function signedRoutes(instance: FastifyInstance, link: LinkService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/cluster-link/v1/sessions',
    { schema: { body: SessionRequestSchema } },
    async (request) => {
      const { peer, claim } = signerOf(request);
      return { epoch: await link.openSession(peer, request.body, claim.nonce) };
    },
  );
  app.post(
    '/cluster-link/v1/exchange',
    { schema: { body: ExchangeRequestSchema }, bodyLimit: EXCHANGE_BYTES_MAX },
    async (request, reply) => {
      const { peer, claim } = signerOf(request);
      return link.exchange(peer, request.body, claim.nonce, goneSignal(reply));
    },
  );
}

function keyRoute(instance: FastifyInstance, link: LinkService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/cluster-link/v1/rotate',
    { schema: { body: RotateRequestSchema } },
    async (request) => {
      const { peer, claim } = signerOf(request);
      await link.rotate(peer, request.body, claim.nonce);
      return {};
    },
  );
}

function conformanceRoute(instance: FastifyInstance, conformance: ConformanceService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/cluster-link/v1/conformance',
    { schema: { body: LinkConformanceSchema } },
    async (request) => {
      const { peer, claim } = signerOf(request);
      requireVersion(request.body.protocolVersion);
      await conformance.told(peer, request.body.checks, claim.timestamp);
      return {};
    },
  );
}

/** What the cluster's machines use: beside the exchange, which does not wait for it. */
function useRoute(instance: FastifyInstance, use: MetricsService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/cluster-link/v1/metrics',
    { schema: { body: LinkMetricsSchema }, bodyLimit: EXCHANGE_BYTES_MAX },
    async (request) => {
      const { epoch, samples } = request.body;
      await use.told(signerOf(request).peer.id, epoch, samples);
      return {};
    },
  );
}

function imageLinkRoutes(instance: FastifyInstance, images: ImageLink): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/cluster-link/v1/images',
    { schema: { body: ImagesRequestSchema }, bodyLimit: EXCHANGE_BYTES_MAX },
    async (request) => {
      const { peer, claim } = signerOf(request);
      requireVersion(request.body.protocolVersion);
      return images.exchange(peer, request.body, claim.nonce);
    },
  );
  app.post(
    '/cluster-link/v1/image-content',
    { schema: { body: ImageContentRequestSchema } },
    async (request, reply) => {
      const { peer, claim } = signerOf(request);
      requireVersion(request.body.protocolVersion);
      const bytes = await images.content(peer, request.body, claim.nonce);
      return reply
        .type('application/octet-stream')
        .serializer((body) => body)
        .send(bytes);
    },
  );
  app.post(
    '/cluster-link/v1/image-part',
    { schema: { body: ImagePartSchema }, bodyLimit: EXCHANGE_BYTES_MAX },
    async (request) => {
      const { peer, claim } = signerOf(request);
      requireVersion(request.body.protocolVersion);
      return { offset: await images.part(peer, request.body, claim.nonce) };
    },
  );
}

/** Lets only requests pass that an enrolled cluster has signed. */
function signByCluster(app: FastifyInstance, link: LinkService, clock: Clock): void {
  app.decorateRequest('linkClaim', undefined);
  app.decorateRequest('linkPeer', undefined);
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook('onRequest', async (request) => {
    const claim = readLinkClaim(request, clock);
    request.linkClaim = claim;
    request.linkPeer = await link.findPeer(claim.clusterId);
  });
  app.addHook('preValidation', async (request) => {
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    const { method, url, linkClaim, linkPeer } = request;
    if (linkClaim === undefined) throw new Error('the claim is read before the body');
    const signed = requireLinkSignature(linkPeer, linkClaim, { method, url, body });
    if (signed.isNext) await link.takeKey(signed.peer);
    request.body = parseBody(body);
  });
}

function parseBody(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch (cause) {
    throw new ProblemError(PROBLEMS.invalidRequest, 'The body is not JSON.', { cause });
  }
}

function signerOf(request: FastifyRequest): { peer: LinkPeer; claim: LinkClaim } {
  const { linkPeer: peer, linkClaim: claim } = request;
  if (peer === undefined || claim === undefined) throw new Error('this route is signed');
  return { peer, claim };
}
