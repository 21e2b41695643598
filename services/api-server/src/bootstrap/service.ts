import { createHash } from 'node:crypto';
import {
  type ApiKeyId,
  type ClusterId,
  type Credentials,
  ID_PREFIXES,
  type OrganisationId,
  type ProjectId,
} from '@factory/contracts';
import type { Clock, IdGenerator, Random, SecretBox } from '@factory/runtime';
import type { ApiStore } from '../store/api-store.ts';
import { defaultSubnetWish, newSubnet } from '../subnets/service.ts';
import { FIRST_NAME } from '../tenancy/service.ts';

const TOKEN_VALID_MS = 24 * 3_600_000;
const TOKEN_BYTES = 32;
const SECRET_BYTES = 32;

export interface BootstrapRequest {
  /** Names of the clusters that are to be part of the factory. */
  readonly clusters: readonly string[];
  /** Of these, clusters that have lost their identity and must enrol anew. */
  readonly reenrol: readonly string[];
  /** Makes a new admin key and revokes the one before. */
  readonly rotateAdminKey: boolean;
}

export interface BootstrapAnswer {
  readonly projectId: ProjectId;
  /** Only when it was made just now: the secret is never shown again. */
  readonly adminKey: Credentials | null;
  readonly clusters: {
    readonly name: string;
    readonly clusterId: ClusterId | null;
    /** One-time, for clusters that are not enrolled; an earlier token for the name is void. */
    readonly token: string | null;
  }[];
}

export interface BootstrapParts {
  readonly store: Pick<ApiStore, 'bootstrap'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly newId: IdGenerator;
  readonly secrets: SecretBox;
  readonly subnetCidr: string;
}

/**
 * Makes what a factory begins with, where it is missing: the organisation that runs it, a project with a subnet,
 * an admin's key pair, enrolment tokens. Doing it again changes nothing but the tokens.
 */
export async function bootstrapFactory(
  parts: BootstrapParts,
  request: BootstrapRequest,
): Promise<BootstrapAnswer> {
  const { clock, random, newId, secrets } = parts;
  const nowMs = clock.nowMs();
  const adminKey = {
    keyId: newId(ID_PREFIXES.apiKey) as ApiKeyId,
    secret: randomText(random, SECRET_BYTES),
  };
  const tokens = new Map(
    request.clusters.map((name) => [name, randomText(random, TOKEN_BYTES)] as const),
  );
  const projectId = newId(ID_PREFIXES.project) as ProjectId;
  const result = await parts.store.bootstrap.bootstrap({
    organisation: { id: newId(ID_PREFIXES.organisation) as OrganisationId, name: FIRST_NAME },
    project: { id: projectId, name: FIRST_NAME },
    subnet: newSubnet(newId, projectId, defaultSubnetWish(parts.subnetCidr), nowMs),
    adminKey: {
      id: adminKey.keyId,
      name: 'admin',
      ...{ role: 'admin', scope: 'organisation', createdBy: null, allowsUcloud: false },
      ...{ expiresAtMs: null, revokedAtMs: null, lastUsedAtMs: null, successorId: null },
      sealedSecret: secrets.seal(adminKey.secret, adminKey.keyId),
      revoked: false,
      createdAtMs: nowMs,
    },
    rotateAdminKey: request.rotateAdminKey,
    tokens: [...tokens].map(([clusterName, token]) => ({
      clusterName,
      tokenHash: hashToken(token),
      expiresAtMs: nowMs + TOKEN_VALID_MS,
    })),
    reenrol: request.reenrol,
    nowMs,
  });
  return {
    projectId: result.projectId,
    adminKey: result.isAdminKeyKept ? adminKey : null,
    clusters: result.clusters.map(({ name, clusterId, isTokenKept }) => ({
      name,
      clusterId,
      token: isTokenKept ? (tokens.get(name) ?? null) : null,
    })),
  };
}

/** Tokens have 256 random bits: a plain hash can't be turned back. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function randomText(random: Random, bytes: number): string {
  return Buffer.from(random.bytes(bytes)).toString('base64url');
}
