import { type Static, type TSchema, Type } from 'typebox';

/** A string that is known to be one kind of id: a `VmId` can't be passed where a `BatchId` goes. */
export type Branded<Name extends string> = string & { readonly __brand: Name };

export type VmId = Branded<'VmId'>;
export type BatchId = Branded<'BatchId'>;
export type OrganisationId = Branded<'OrganisationId'>;
export type ProjectId = Branded<'ProjectId'>;
export type ClusterId = Branded<'ClusterId'>;
export type SubnetId = Branded<'SubnetId'>;
export type VolumeId = Branded<'VolumeId'>;
export type OperationId = Branded<'OperationId'>;
export type ConsoleTicketId = Branded<'ConsoleTicketId'>;
export type EnrolmentTokenId = Branded<'EnrolmentTokenId'>;
export type ApiKeyId = Branded<'ApiKeyId'>;
export type UserId = Branded<'UserId'>;
export type SessionId = Branded<'SessionId'>;
export type ImageId = Branded<'ImageId'>;
export type WebhookId = Branded<'WebhookId'>;
export type HoldId = Branded<'HoldId'>;

/** Prefix of each kind of id; the rest is a UUID version 7 without dashes. */
export const ID_PREFIXES = {
  vm: 'vm',
  batch: 'bat',
  organisation: 'org',
  project: 'prj',
  cluster: 'clu',
  subnet: 'sub',
  volume: 'vol',
  operation: 'op',
  consoleTicket: 'con',
  enrolmentToken: 'tok',
  apiKey: 'key',
  user: 'usr',
  session: 'ses',
  image: 'img',
  webhook: 'whk',
  hold: 'hld',
} as const;

/** Schema of an id with this prefix; `Id` is the branded type that a valid value has. */
function idSchema<Id extends string>(prefix: string) {
  return Type.Unsafe<Id>(Type.String({ pattern: `^${prefix}_[0-9a-f]{32}$` }));
}

export const VmIdSchema = idSchema<VmId>(ID_PREFIXES.vm);
export const BatchIdSchema = idSchema<BatchId>(ID_PREFIXES.batch);
export const OrganisationIdSchema = idSchema<OrganisationId>(ID_PREFIXES.organisation);
export const ProjectIdSchema = idSchema<ProjectId>(ID_PREFIXES.project);
export const ClusterIdSchema = idSchema<ClusterId>(ID_PREFIXES.cluster);
export const SubnetIdSchema = idSchema<SubnetId>(ID_PREFIXES.subnet);
export const VolumeIdSchema = idSchema<VolumeId>(ID_PREFIXES.volume);
export const OperationIdSchema = idSchema<OperationId>(ID_PREFIXES.operation);
export const ConsoleTicketIdSchema = idSchema<ConsoleTicketId>(ID_PREFIXES.consoleTicket);
export const EnrolmentTokenIdSchema = idSchema<EnrolmentTokenId>(ID_PREFIXES.enrolmentToken);
export const WebhookIdSchema = idSchema<WebhookId>(ID_PREFIXES.webhook);
export const ApiKeyIdSchema = idSchema<ApiKeyId>(ID_PREFIXES.apiKey);
export const UserIdSchema = idSchema<UserId>(ID_PREFIXES.user);
export const SessionIdSchema = idSchema<SessionId>(ID_PREFIXES.session);
export const HoldIdSchema = idSchema<HoldId>(ID_PREFIXES.hold);
/** Of one version, from the beginning of its upload or download on. */
export const ImageIdSchema = idSchema<ImageId>(ID_PREFIXES.image);

/** A union of string literals, which JSON Schema prints as one `enum`. */
export function stringEnum<const Values extends readonly string[]>(values: Values) {
  return Type.Unsafe<Values[number]>({ type: 'string', enum: [...values] } as unknown as TSchema);
}

export type { Static };
