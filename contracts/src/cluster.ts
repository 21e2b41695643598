import { type Static, Type } from 'typebox';
import {
  ClusterIdSchema,
  EnrolmentTokenIdSchema,
  OrganisationIdSchema,
  stringEnum,
} from './ids.ts';
import { NameSchema } from './vm.ts';

/** What a cluster may do; the table in services/api-server/src/clusters/states.ts says how it changes. */
export const CLUSTER_STATES = ['joining', 'active', 'draining', 'withdrawn', 'revoked'] as const;
export type ClusterState = (typeof CLUSTER_STATES)[number];

const Time = Type.String({ format: 'date-time' });
const AMOUNT_MAX = 1_000_000_000;
const Amount = Type.Integer({ minimum: 0, maximum: AMOUNT_MAX });

/** Where a cluster is, in whatever words the factory's operators use; empty: not told. */
export const RegionSchema = Type.String({ maxLength: 63, pattern: '^([a-z0-9][a-z0-9-]*)?$' });
/** What else there is to choose clusters by. */
export const ClusterAttributesSchema = Type.Record(
  Type.String({ pattern: '^[a-z][a-z0-9_.-]{0,62}$' }),
  Type.String({ maxLength: 255 }),
  { maxProperties: 64 },
);
export type ClusterAttributes = Static<typeof ClusterAttributesSchema>;

/** How much is handed out at a cluster at most, whatever it has; what is not named has no bound. */
export const ClusterCapsSchema = Type.Object(
  {
    vms: Type.Optional(Amount),
    vcpus: Type.Optional(Amount),
    memoryMiB: Type.Optional(Amount),
  },
  { additionalProperties: false },
);
export type ClusterCaps = Static<typeof ClusterCapsSchema>;

/** Machines that are handed out at a cluster, whatever their state, and what they have. */
export const ClusterGivenSchema = Type.Object({
  vms: Type.Integer(),
  vcpus: Type.Integer(),
  memoryMiB: Type.Integer(),
});
export type ClusterGiven = Static<typeof ClusterGivenSchema>;

/** What those see of a cluster who run or own it. */
const ClusterManagementSchema = Type.Object({
  /** Null: the factory's own. */
  ownerOrganisationId: Type.Union([OrganisationIdSchema, Type.Null()]),
  stateSince: Time,
  /** When the notice of its withdrawal ends. */
  noticeUntil: Type.Union([Time, Type.Null()]),
  caps: ClusterCapsSchema,
  /** What a drain or a withdrawal has left. */
  given: ClusterGivenSchema,
});

export const ClusterSchema = Type.Object({
  id: ClusterIdSchema,
  name: Type.String(),
  state: stringEnum(CLUSTER_STATES),
  region: Type.String(),
  attributes: ClusterAttributesSchema,
  connected: Type.Boolean(),
  enrolledAt: Time,
  lastSeenAt: Type.Union([Time, Type.Null()]),
  capacity: Type.Union([
    Type.Null(),
    Type.Object({
      observedAt: Time,
      hosts: Type.Integer(),
      activeHosts: Type.Integer(),
      totalVcpus: Type.Number(),
      totalMemoryMiB: Type.Number(),
      freeVcpus: Type.Number(),
      freeMemoryMiB: Type.Number(),
      promisedVcpus: Type.Number(),
      promisedMemoryMiB: Type.Number(),
      images: Type.Array(Type.String()),
    }),
  ]),
  management: Type.Union([ClusterManagementSchema, Type.Null()]),
});
export type Cluster = Static<typeof ClusterSchema>;

/** A host as its cluster's owner sees it: what it has, not whose machines are there. */
export const ClusterHostSchema = Type.Object({
  hostName: Type.String(),
  active: Type.Boolean(),
  totalVcpus: Type.Number(),
  totalMemoryMiB: Type.Number(),
  freeVcpus: Type.Number(),
  freeMemoryMiB: Type.Number(),
});
export type ClusterHost = Static<typeof ClusterHostSchema>;

export const ClusterChangeSchema = Type.Object(
  {
    caps: Type.Optional(ClusterCapsSchema),
    region: Type.Optional(RegionSchema),
    attributes: Type.Optional(ClusterAttributesSchema),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type ClusterChange = Static<typeof ClusterChangeSchema>;

export const ClusterWithdrawalSchema = Type.Object(
  {
    noticeSeconds: Type.Integer({
      minimum: 0,
      maximum: 366 * 86_400,
      description: 'How long machines may stay; what is left then is deleted.',
    }),
  },
  { additionalProperties: false },
);

export const EnrolmentTokenRequestSchema = Type.Object(
  {
    clusterName: NameSchema,
    ownerOrganisationId: Type.Optional(OrganisationIdSchema),
    region: Type.Optional(RegionSchema),
    attributes: Type.Optional(ClusterAttributesSchema),
    caps: Type.Optional(ClusterCapsSchema),
    expiresInSeconds: Type.Optional(Type.Integer({ minimum: 60, maximum: 30 * 86_400 })),
  },
  { additionalProperties: false },
);
export type EnrolmentTokenRequest = Static<typeof EnrolmentTokenRequestSchema>;

export const EnrolmentTokenSchema = Type.Object({
  id: EnrolmentTokenIdSchema,
  clusterName: Type.String(),
  ownerOrganisationId: Type.Union([OrganisationIdSchema, Type.Null()]),
  region: Type.String(),
  attributes: ClusterAttributesSchema,
  caps: ClusterCapsSchema,
  state: stringEnum(['open', 'used', 'expired', 'revoked'] as const),
  createdAt: Time,
  expiresAt: Time,
});
export type EnrolmentToken = Static<typeof EnrolmentTokenSchema>;

/** Just made: the only time that its secret is shown. */
export const NewEnrolmentTokenSchema = Type.Object({
  ...EnrolmentTokenSchema.properties,
  token: Type.String(),
});
export type NewEnrolmentToken = Static<typeof NewEnrolmentTokenSchema>;

/** What is looked at when a cluster joins. */
export const CONFORMANCE_CHECKS = [
  'hosts',
  'scheduler',
  'storage',
  'clockSkew',
  'virtualisation',
  'libvirt',
  'overlayMtu',
] as const;
export const ConformanceCheckSchema = Type.Object({
  name: stringEnum(CONFORMANCE_CHECKS),
  outcome: stringEnum(['passed', 'failed', 'skipped'] as const),
  detail: Type.String({ maxLength: 1024 }),
});
export type ConformanceCheck = Static<typeof ConformanceCheckSchema>;

/** The last run; a cluster has passed when no check has failed. */
export const ConformanceReportSchema = Type.Object({
  passed: Type.Boolean(),
  at: Time,
  checks: Type.Array(ConformanceCheckSchema),
});
export type ConformanceReport = Static<typeof ConformanceReportSchema>;
