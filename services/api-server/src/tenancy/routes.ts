import {
  NameSchema,
  OrganisationIdSchema,
  OrganisationRequestSchema,
  OrganisationSchema,
  ProjectIdSchema,
  ProjectRequestSchema,
  ProjectSchema,
  RenameSchema,
} from '@factory/contracts';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { decodeCursor, toPage } from '../http/cursor.ts';
import { principalOf } from '../http/principal.ts';
import { answers, PageQuery, pageOf } from '../http/schemas.ts';
import { showOrganisation, showProject, type TenancyService } from './service.ts';

/** `/v1/organisations` and `/v1/projects` */
export function tenancyRoutes(app: FastifyInstance, tenancy: TenancyService): void {
  organisationRoutes(app, tenancy);
  projectRoutes(app, tenancy);
}

function organisationRoutes(instance: FastifyInstance, tenancy: TenancyService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const params = Type.Object({ id: OrganisationIdSchema });
  const tags = ['organisations'];
  app.post(
    '/v1/organisations',
    {
      schema: {
        operationId: 'createOrganisation',
        summary: 'Make an organisation, with a first project',
        tags,
        body: OrganisationRequestSchema,
        response: answers(201, OrganisationSchema),
      },
    },
    async (request, reply) => {
      const organisation = await tenancy.createOrganisation(request.body);
      reply.status(201).header('location', `/v1/organisations/${organisation.id}`);
      return organisation;
    },
  );
  app.get(
    '/v1/organisations',
    {
      schema: {
        operationId: 'listOrganisations',
        summary: 'List organisations: your own, or all of them to who runs the factory',
        tags,
        querystring: Type.Object(PageQuery),
        response: answers(200, pageOf(OrganisationSchema)),
      },
    },
    async (request) => {
      const { cursor, limit } = request.query;
      const after = decodeCursor(cursor);
      const page = { limit: limit + 1, ...(after === undefined ? {} : { after }) };
      const records = await tenancy.listOrganisations(principalOf(request), page);
      return toPage(records, limit, showOrganisation);
    },
  );
  app.get(
    '/v1/organisations/:id',
    {
      schema: {
        operationId: 'getOrganisation',
        summary: 'Show an organisation',
        tags,
        params,
        response: answers(200, OrganisationSchema),
      },
    },
    async (request) => tenancy.getOrganisation(principalOf(request), request.params.id),
  );
  app.patch(
    '/v1/organisations/:id',
    {
      schema: {
        operationId: 'changeOrganisation',
        summary: 'Rename an organisation',
        tags,
        params,
        body: RenameSchema,
        response: answers(200, OrganisationSchema),
      },
    },
    async (request) =>
      tenancy.renameOrganisation(principalOf(request), request.params.id, request.body.name),
  );
}

function projectRoutes(instance: FastifyInstance, tenancy: TenancyService): void {
  const app = instance.withTypeProvider<TypeBoxTypeProvider>();
  const params = Type.Object({ id: ProjectIdSchema });
  const tags = ['projects'];
  app.post(
    '/v1/projects',
    {
      schema: {
        operationId: 'createProject',
        summary: 'Make a project, with a subnet',
        tags,
        body: ProjectRequestSchema,
        response: answers(201, ProjectSchema),
      },
    },
    async (request, reply) => {
      const project = await tenancy.createProject(principalOf(request), request.body);
      reply.status(201).header('location', `/v1/projects/${project.id}`);
      return project;
    },
  );
  app.get(
    '/v1/projects',
    {
      schema: {
        operationId: 'listProjects',
        summary: "List an organisation's projects, oldest first, closed ones too",
        tags,
        querystring: Type.Object({
          ...PageQuery,
          name: Type.Optional(NameSchema),
          organisationId: Type.Optional(OrganisationIdSchema),
        }),
        response: answers(200, pageOf(ProjectSchema)),
      },
    },
    async (request) => {
      const { cursor, limit, ...filter } = request.query;
      const after = decodeCursor(cursor);
      const records = await tenancy.listProjects(principalOf(request), {
        ...filter,
        ...(after === undefined ? {} : { after }),
        limit: limit + 1,
      });
      return toPage(records, limit, showProject);
    },
  );
  app.get(
    '/v1/projects/:id',
    {
      schema: {
        operationId: 'getProject',
        summary: 'Show a project',
        tags,
        params,
        response: answers(200, ProjectSchema),
      },
    },
    async (request) => tenancy.getProject(principalOf(request), request.params.id),
  );
  app.patch(
    '/v1/projects/:id',
    {
      schema: {
        operationId: 'changeProject',
        summary: 'Rename a project',
        tags,
        params,
        body: RenameSchema,
        response: answers(200, ProjectSchema),
      },
    },
    async (request) =>
      tenancy.renameProject(principalOf(request), request.params.id, request.body.name),
  );
  app.delete(
    '/v1/projects/:id',
    {
      schema: {
        operationId: 'closeProject',
        summary: 'Close an empty project, with its subnets and keys; its name stays taken',
        tags,
        params,
        response: answers(204, Type.Null()),
      },
    },
    async (request, reply) => {
      await tenancy.closeProject(principalOf(request), request.params.id);
      return reply.status(204).send(null);
    },
  );
}
