import { type Static, Type } from 'typebox';
import { OrganisationIdSchema, ProjectIdSchema } from './ids.ts';
import { NameSchema } from './vm.ts';

const strict = { additionalProperties: false } as const;
const Instant = Type.String({ format: 'date-time' });

export const TENANCY_LIMITS = {
  /** Open ones of an organisation. */
  projectsMax: 1_000,
} as const;

/** `POST /v1/organisations` */
export const OrganisationRequestSchema = Type.Object(
  { name: NameSchema },
  { ...strict, examples: [{ name: 'studio-north' }] },
);
export type OrganisationRequest = Static<typeof OrganisationRequestSchema>;

/** A company, or a team: who pays. */
export const OrganisationSchema = Type.Object({
  id: OrganisationIdSchema,
  name: NameSchema,
  /** Whether it is the one that runs the factory. */
  isPlatform: Type.Boolean(),
  createdAt: Instant,
});
export type Organisation = Static<typeof OrganisationSchema>;

/** `POST /v1/projects` */
export const ProjectRequestSchema = Type.Object(
  {
    name: NameSchema,
    organisationId: Type.Optional(
      Type.Unsafe<Static<typeof OrganisationIdSchema>>({
        ...OrganisationIdSchema,
        description: "Another organisation's; only for admins of the factory.",
      }),
    ),
  },
  { ...strict, examples: [{ name: 'film-7' }] },
);
export type ProjectRequest = Static<typeof ProjectRequestSchema>;

/** `PATCH` of an organisation or a project. */
export const RenameSchema = Type.Object(
  { name: NameSchema },
  { ...strict, examples: [{ name: 'film-8' }] },
);

/** What machines, images and networks belong to. */
export const ProjectSchema = Type.Object({
  id: ProjectIdSchema,
  organisationId: OrganisationIdSchema,
  name: NameSchema,
  /** A closed project has nothing, and its keys don't work any more. */
  state: Type.Unsafe<'open' | 'closed'>({ type: 'string', enum: ['open', 'closed'] }),
  createdAt: Instant,
});
export type Project = Static<typeof ProjectSchema>;
