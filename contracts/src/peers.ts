import { type Static, Type } from 'typebox';
import { SubnetIdSchema } from './ids.ts';

/** A host of a subnet, as others of the cluster have to know it. */
export const PeerSchema = Type.Object({
  /** Where its tunnels end; IPv4. */
  tunnelAddress: Type.String({ maxLength: 15 }),
  /** The cards that are on it, for frames and names. */
  nics: Type.Array(
    Type.Object({
      macAddress: Type.String({ maxLength: 17 }),
      ipAddress: Type.String({ maxLength: 15 }),
      hostname: Type.String({ maxLength: 63 }),
    }),
  ),
});
export type Peer = Static<typeof PeerSchema>;

/** All hosts of a subnet: the same for each of them, with itself. */
export const SubnetPeersSchema = Type.Object({
  subnetId: SubnetIdSchema,
  peers: Type.Array(PeerSchema),
});
export type SubnetPeers = Static<typeof SubnetPeersSchema>;

/**
 * Scheduler to executor: the hosts of all subnets that it has machines in, repeated until the
 * executor's heartbeats carry the digest. An older epoch than one heard before is not heeded.
 */
export const PeersMessageSchema = Type.Object({
  type: Type.Literal('peers'),
  epoch: Type.Integer({ minimum: 1 }),
  digest: Type.String({ maxLength: 64 }),
  subnets: Type.Array(SubnetPeersSchema),
});
export type PeersMessage = Static<typeof PeersMessageSchema>;

/** What is new in a subnet; a card that is otherwise is both gone and come. */
export const SubnetPeersChangeSchema = Type.Object({
  subnetId: SubnetIdSchema,
  came: Type.Array(PeerSchema),
  gone: Type.Array(PeerSchema),
});
export type SubnetPeersChange = Static<typeof SubnetPeersChangeSchema>;

/**
 * Scheduler to executor: what is new since it knew what `base` is the digest of. With what it makes
 * of that, the executor must come to `digest`; else it heeds nothing of it, and its next heartbeat
 * brings it the whole.
 */
export const PeersChangeMessageSchema = Type.Object({
  type: Type.Literal('peersChange'),
  epoch: Type.Integer({ minimum: 1 }),
  base: Type.String({ maxLength: 64 }),
  digest: Type.String({ maxLength: 64 }),
  changed: Type.Array(SubnetPeersChangeSchema),
  /** Subnets that it has machines in only now, or that were changed too often since. */
  whole: Type.Array(SubnetPeersSchema),
  /** Subnets that it has no machine in any more. */
  left: Type.Array(SubnetIdSchema),
});
export type PeersChangeMessage = Static<typeof PeersChangeMessageSchema>;

/** Executor to scheduler, in every message: where its tunnels end, and which peers it knows. */
export const HostTunnelSchema = Type.Object({
  /** Null: subnets end at this host. */
  address: Type.Union([Type.String({ maxLength: 15 }), Type.Null()]),
  /** Of the last `peers` that all took effect; epoch 0 and no digest before. */
  epoch: Type.Integer({ minimum: 0 }),
  digest: Type.String({ maxLength: 64 }),
  /** It understands `peersChange`; executors of earlier versions don't. */
  takesChanges: Type.Optional(Type.Boolean()),
});
export type HostTunnel = Static<typeof HostTunnelSchema>;
