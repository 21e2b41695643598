import { type Static, Type } from 'typebox';
import { ApiKeyIdSchema, ProjectIdSchema, stringEnum } from './ids.ts';
import { ROLES } from './roles.ts';
import { NameSchema } from './vm.ts';

const strict = { additionalProperties: false } as const;
const Instant = Type.String({ format: 'date-time' });
const MaybeInstant = Type.Union([Instant, Type.Null()]);

export const API_KEY_LIMITS = {
  /** Of a project, those that work. */
  keysMax: 1_000,
  /** How long a rotated key may go on working. */
  graceSecondsMax: 7 * 86_400,
  graceSecondsDefault: 86_400,
} as const;

/** Whether a role holds in one project, or in its whole organisation. */
export const SCOPES = ['project', 'organisation'] as const;
export type Scope = (typeof SCOPES)[number];

/** `POST /v1/api-keys` */
export const ApiKeyRequestSchema = Type.Object(
  {
    name: NameSchema,
    role: stringEnum(ROLES),
    /** Without it, the role holds in the key's project only. */
    scope: Type.Optional(stringEnum(SCOPES)),
    projectId: Type.Optional(
      Type.Unsafe<Static<typeof ProjectIdSchema>>({
        ...ProjectIdSchema,
        description: "Another project's key; for admins of its organisation.",
      }),
    ),
    expiresAt: Type.Optional(Instant),
    /** Whether it may sign UCloud-style actions too, whose signatures can be replayed. */
    allowsUcloud: Type.Optional(Type.Boolean()),
  },
  { ...strict, examples: [{ name: 'render-farm', role: 'member' }] },
);
export type ApiKeyRequest = Static<typeof ApiKeyRequestSchema>;

/** `POST /v1/api-keys/{id}:rotate` */
export const RotateApiKeySchema = Type.Object(
  {
    graceSeconds: Type.Optional(
      Type.Integer({ minimum: 0, maximum: API_KEY_LIMITS.graceSecondsMax }),
    ),
  },
  { ...strict, examples: [{ graceSeconds: 3_600 }] },
);

/** A key as everybody may see it who manages keys: without its secret. */
export const ApiKeySchema = Type.Object({
  id: ApiKeyIdSchema,
  projectId: ProjectIdSchema,
  name: NameSchema,
  role: stringEnum(ROLES),
  scope: stringEnum(SCOPES),
  state: stringEnum(['active', 'expired', 'revoked'] as const),
  allowsUcloud: Type.Boolean(),
  createdAt: Instant,
  /** The key or user that made it; null for the first one. */
  createdBy: Type.Union([Type.String(), Type.Null()]),
  expiresAt: MaybeInstant,
  revokedAt: MaybeInstant,
  /** Within about a minute. */
  lastUsedAt: MaybeInstant,
  /** The key that took over from it. */
  successorId: Type.Union([ApiKeyIdSchema, Type.Null()]),
});
export type ApiKeyView = Static<typeof ApiKeySchema>;

/** The answer that has the secret: it is never shown again. */
export const NewApiKeySchema = Type.Object({ ...ApiKeySchema.properties, secret: Type.String() });
export type NewApiKey = Static<typeof NewApiKeySchema>;
