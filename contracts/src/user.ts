import { type Static, Type } from 'typebox';
import { SCOPES } from './api-key.ts';
import { OrganisationIdSchema, ProjectIdSchema, stringEnum, UserIdSchema } from './ids.ts';
import { ROLES } from './roles.ts';
import { NameSchema } from './vm.ts';

const strict = { additionalProperties: false } as const;
const Instant = Type.String({ format: 'date-time' });

export const USER_LIMITS = {
  membershipsMax: 200,
  passwordLengthMin: 12,
  passwordLengthMax: 256,
} as const;

/** Browsers send the session's token in it, when it was asked for at signing in. */
export const SESSION_COOKIE = 'factory_session';
/** What begins with this is the token of a session. */
export const SESSION_TOKEN_PREFIX = 'fst_';
/**
 * Whoever changes something with the cookie sends this header too, with any value: a page of another
 * site can't (it is not one of CORS's simple headers).
 */
export const CSRF_HEADER = 'x-factory-csrf';
/** In which project a signed-in user works. */
export const PROJECT_HEADER = 'x-factory-project';

/** ASCII, as login names are compared without regard to case. */
const EmailSchema = Type.String({
  pattern: '^[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\\.[A-Za-z0-9-]{1,63}){0,8}$',
  maxLength: 254,
});
const PasswordSchema = Type.String({
  minLength: USER_LIMITS.passwordLengthMin,
  maxLength: USER_LIMITS.passwordLengthMax,
});
/** For signing in, where it is not said what passwords are like. */
const GivenPasswordSchema = Type.String({ maxLength: USER_LIMITS.passwordLengthMax });
const PersonSchema = Type.String({ minLength: 1, maxLength: 100 });

/** What a user may do, and where: in one project, or (null) in the whole organisation. */
const MembershipSchema = Type.Object(
  {
    organisationId: OrganisationIdSchema,
    projectId: Type.Union([ProjectIdSchema, Type.Null()]),
    role: stringEnum(ROLES),
  },
  strict,
);
export type Membership = Static<typeof MembershipSchema>;

const MembershipsSchema = Type.Array(
  Type.Object(
    {
      organisationId: Type.Optional(OrganisationIdSchema),
      projectId: Type.Optional(Type.Union([ProjectIdSchema, Type.Null()])),
      role: stringEnum(ROLES),
    },
    strict,
  ),
  { maxItems: USER_LIMITS.membershipsMax },
);
export type MembershipRequest = Static<typeof MembershipsSchema>[number];

/** `POST /v1/users` */
export const UserRequestSchema = Type.Object(
  {
    email: EmailSchema,
    name: PersonSchema,
    memberships: MembershipsSchema,
    /** Without it one is made, and shown once. */
    password: Type.Optional(PasswordSchema),
    organisationId: Type.Optional(OrganisationIdSchema),
  },
  {
    ...strict,
    examples: [{ email: 'ada@example.org', name: 'Ada', memberships: [{ role: 'member' }] }],
  },
);
export type UserRequest = Static<typeof UserRequestSchema>;

/** `PATCH /v1/users/{id}`: memberships are replaced as a whole. */
export const UserChangeSchema = Type.Object(
  {
    name: Type.Optional(PersonSchema),
    state: Type.Optional(stringEnum(['active', 'disabled'] as const)),
    memberships: Type.Optional(MembershipsSchema),
  },
  { ...strict, examples: [{ state: 'disabled' }] },
);
export type UserChange = Static<typeof UserChangeSchema>;

/** A person. */
export const UserSchema = Type.Object({
  id: UserIdSchema,
  organisationId: OrganisationIdSchema,
  email: EmailSchema,
  name: PersonSchema,
  state: stringEnum(['active', 'disabled'] as const),
  memberships: Type.Array(MembershipSchema),
  createdAt: Instant,
});
export type User = Static<typeof UserSchema>;

/** A user with a password that was made just now; null when it was given. */
export const NewUserSchema = Type.Object({
  ...UserSchema.properties,
  password: Type.Union([Type.String(), Type.Null()]),
});
export type NewUser = Static<typeof NewUserSchema>;

/** `POST /v1/sessions` */
export const SignInSchema = Type.Object(
  {
    /** Its name. */
    organisation: NameSchema,
    email: EmailSchema,
    password: GivenPasswordSchema,
    /** The token goes into a cookie that scripts can't read, and not into the answer. */
    cookie: Type.Optional(Type.Boolean()),
  },
  strict,
);
export type SignIn = Static<typeof SignInSchema>;

/** The answer to signing in. */
export const SessionSchema = Type.Object({
  userId: UserIdSchema,
  /** Null when it is in the cookie. */
  token: Type.Union([Type.String(), Type.Null()]),
  expiresAt: Instant,
});
export type SessionView = Static<typeof SessionSchema>;

/** `POST /v1/me/password` */
export const ChangePasswordSchema = Type.Object(
  { password: GivenPasswordSchema, newPassword: PasswordSchema },
  strict,
);

/** `GET /v1/me`: who asks, and what for. */
export const MeSchema = Type.Object({
  actor: Type.String(),
  organisationId: OrganisationIdSchema,
  projectId: ProjectIdSchema,
  role: stringEnum(ROLES),
  scope: stringEnum(SCOPES),
  isPlatform: Type.Boolean(),
  user: Type.Union([UserSchema, Type.Null()]),
  /** Where the user may work; null for keys, which have one project. */
  projects: Type.Union([
    Type.Array(Type.Object({ id: ProjectIdSchema, name: NameSchema })),
    Type.Null(),
  ]),
});
export type Me = Static<typeof MeSchema>;
