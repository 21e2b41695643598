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

/** Executor to scheduler, in every message: where its tunnels end, and which peers it knows. */
export const HostTunnelSchema = Type.Object({
  /** Null: subnets end at this host. */
  address: Type.Union([Type.String({ maxLength: 15 }), Type.Null()]),
  /** Of the last `peers` that all took effect; epoch 0 and no digest before. */
  epoch: Type.Integer({ minimum: 0 }),
  digest: Type.String({ maxLength: 64 }),
});
export type HostTunnel = Static<typeof HostTunnelSchema>;
