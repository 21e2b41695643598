import { type Static, Type } from 'typebox';
import { OrganisationIdSchema, ProjectIdSchema } from './ids.ts';

/** What projects and organisations may have only so much of. */
export const QUOTA_LIMITS = [
  'vms',
  'vcpus',
  'memoryMiB',
  'diskGiB',
  'images',
  'volumes',
  'volumeGiB',
  'subnets',
] as const;
export type QuotaLimit = (typeof QUOTA_LIMITS)[number];

/** Above what any factory has, and far below what a number holds exactly. */
const AmountSchema = Type.Integer({ minimum: 0, maximum: 1e12 });
const Amount = Type.Optional(AmountSchema);

/** What there may be of each thing; there may be any number of those that are left out. */
export const QuotaLimitsSchema = Type.Object(
  {
    vms: Amount,
    vcpus: Amount,
    memoryMiB: Amount,
    /** Of machines; volumes have a limit of their own. */
    diskGiB: Amount,
    /** Versions. */
    images: Amount,
    volumes: Amount,
    volumeGiB: Amount,
    subnets: Amount,
  },
  { additionalProperties: false, examples: [{ vms: 200, vcpus: 800 }] },
);
export type QuotaLimits = Static<typeof QuotaLimitsSchema>;

/** So much of each thing. */
export const QuotaAmountsSchema = Type.Object({
  vms: AmountSchema,
  vcpus: AmountSchema,
  memoryMiB: AmountSchema,
  diskGiB: AmountSchema,
  images: AmountSchema,
  volumes: AmountSchema,
  volumeGiB: AmountSchema,
  subnets: AmountSchema,
});
export type QuotaAmounts = Readonly<Static<typeof QuotaAmountsSchema>>;

/** `GET /v1/quota`: what a project and its organisation may have, and what they have. */
export const QuotaSchema = Type.Object({
  project: Type.Object({
    id: ProjectIdSchema,
    limits: QuotaLimitsSchema,
    used: QuotaAmountsSchema,
  }),
  organisation: Type.Object({
    id: OrganisationIdSchema,
    limits: QuotaLimitsSchema,
    used: QuotaAmountsSchema,
  }),
});
export type Quota = Static<typeof QuotaSchema>;
