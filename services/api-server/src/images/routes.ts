import { ImageIdSchema, ImageVersionSchema } from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { principalOf } from '../http/principal.ts';
import { answers } from '../http/schemas.ts';
import { ImageRequestSchema } from './request.ts';
import type { ImageService } from './service.ts';
import {
  ImageSchema,
  ImageSummarySchema,
  ImageVersionItemSchema,
  showImage,
  showSummary,
  showVersion,
} from './show.ts';
import { type ImageUploads, PART_BYTES_MAX } from './upload.ts';

const tags = ['images'];
const ByName = Type.Object({ name: Type.String({ maxLength: 63 }) });
const ById = Type.Object({ id: ImageIdSchema });

const HostOrCluster = Type.String({ minLength: 1, maxLength: 255 });
const StageRequestSchema = Type.Object(
  {
    /** The newest by default; may be cut short. */
    version: Type.Optional(Type.String({ pattern: '^[0-9a-f]{8,64}$' })),
    clusters: Type.Optional(Type.Array(HostOrCluster, { maxItems: 1_000 })),
    hosts: Type.Optional(Type.Array(HostOrCluster, { maxItems: 10_000 })),
  },
  { additionalProperties: false },
);
const StageAnswerSchema = Type.Object({
  name: Type.String(),
  stages: Type.Array(Type.Object({ cluster: Type.String(), version: ImageVersionSchema })),
});

export interface ImageRouteParts {
  readonly images: ImageService;
  readonly uploads: ImageUploads;
}

/** `/v1/images` */
export function imageRoutes(instance: FastifyInstance, parts: ImageRouteParts): void {
  readingRoutes(instance, parts.images);
  changingRoutes(instance, parts);
  instance.register(async (content) => contentRoutes(content, parts.uploads));
}

function readingRoutes(instance: FastifyInstance, images: ImageService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.get(
    '/v1/images',
    {
      schema: {
        operationId: 'listImages',
        summary: 'List the images that machines can be made from, and where',
        tags,
        response: answers(200, Type.Object({ items: Type.Array(ImageSummarySchema) })),
      },
    },
    async (request) => {
      const all = await images.list(principalOf(request).projectId);
      return { items: all.map(showSummary) };
    },
  );
  app.get(
    '/v1/images/:name',
    {
      schema: {
        operationId: 'getImage',
        summary: 'Show an image: its versions, and how they stand with clusters and hosts',
        tags,
        params: ByName,
        response: answers(200, ImageSchema),
      },
    },
    async (request) => {
      const { projectId } = principalOf(request);
      return showImage(await images.get(projectId, request.params.name));
    },
  );
  app.get(
    '/v1/images/:name/versions',
    {
      schema: {
        operationId: 'listImageVersions',
        summary: 'List the versions of an image, newest first',
        tags,
        params: ByName,
        response: answers(200, Type.Object({ items: Type.Array(ImageVersionItemSchema) })),
      },
    },
    async (request) => {
      const { projectId } = principalOf(request);
      const { versions, clusters } = await images.get(projectId, request.params.name);
      return { items: versions.map((each) => showVersion(each, clusters)) };
    },
  );
}

function changingRoutes(instance: FastifyInstance, { images, uploads }: ImageRouteParts): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/v1/images',
    {
      schema: {
        operationId: 'createImage',
        summary: 'Begin a version of an image: its content is uploaded next, or fetched from a URL',
        tags,
        body: ImageRequestSchema,
        response: answers(202, ImageVersionItemSchema),
      },
    },
    async (request, reply) => {
      const record = await images.create(principalOf(request), request.body);
      return reply.status(202).send(showVersion(record, []));
    },
  );
  app.post(
    '/v1/images/:id([^:/]+)::complete',
    {
      schema: {
        operationId: 'completeImage',
        summary:
          'Say that all of an upload has arrived: it is verified, and brought to the clusters',
        tags,
        params: ById,
        body: Type.Object(
          { sha256: Type.Optional(ImageVersionSchema) },
          { additionalProperties: false },
        ),
        response: answers(202, ImageVersionItemSchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const { id } = request.params;
      const record = await uploads.complete(projectId, id, request.body.sha256);
      return reply.status(202).send(showVersion(record, []));
    },
  );
  app.post(
    '/v1/images/:name([^:/]+)::stage',
    {
      schema: {
        operationId: 'stageImage',
        summary: 'Bring a version to hosts before machines ask for it; see the image for progress',
        tags,
        params: ByName,
        body: StageRequestSchema,
        response: answers(202, StageAnswerSchema),
      },
    },
    async (request, reply) => {
      const { projectId } = principalOf(request);
      const staged = await images.stage(projectId, request.params.name, request.body);
      return reply.status(202).send(staged);
    },
  );
  app.delete(
    '/v1/images/:name/versions/:version',
    {
      schema: {
        operationId: 'deleteImageVersion',
        summary: 'Delete a version (by its SHA-256, or an upload by its id) that no machine needs',
        tags,
        params: Type.Object({
          ...ByName.properties,
          version: Type.Union([ImageVersionSchema, ImageIdSchema]),
        }),
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      const { name, version } = request.params;
      await images.deleteVersion(principalOf(request).projectId, name, version);
      return reply.status(204).send(null);
    },
  );
}

const OffsetAnswer = Type.Object({ offset: Type.Integer({ minimum: 0 }) });

/** Content comes in parts, each signed as a whole and of bounded size. */
function contentRoutes(instance: FastifyInstance, uploads: ImageUploads): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/octet-stream',
    { parseAs: 'buffer', bodyLimit: PART_BYTES_MAX },
    (_request, body, done) => done(null, body),
  );
  app.put(
    '/v1/images/:id/content',
    {
      bodyLimit: PART_BYTES_MAX,
      schema: {
        operationId: 'putImageContent',
        summary:
          'Upload a part of a version (4 MiB at most, application/octet-stream) at an offset',
        tags,
        params: ById,
        querystring: Type.Object({ offset: Type.Integer({ minimum: 0 }) }),
        response: answers(200, OffsetAnswer),
      },
    },
    async (request) => {
      const bytes = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      const { projectId } = principalOf(request);
      const { id } = request.params;
      return { offset: await uploads.put(projectId, id, request.query.offset, bytes) };
    },
  );
  app.get(
    '/v1/images/:id/content',
    {
      schema: {
        operationId: 'getImageOffset',
        summary:
          'Where an upload goes on: as many bytes have arrived (also by HEAD: upload-offset)',
        tags,
        params: ById,
        response: answers(200, OffsetAnswer),
      },
    },
    async (request, reply) => {
      const offset = await uploads.offset(principalOf(request).projectId, request.params.id);
      reply.header('upload-offset', String(offset));
      return { offset };
    },
  );
}
