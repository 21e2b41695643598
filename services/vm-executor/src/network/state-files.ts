import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SubnetId } from '@factory/contracts';
import { SubnetIdSchema } from '@factory/contracts';
import { hasErrorCode, readJsonIfExists, writeFileAtomic } from '@factory/runtime';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import { dhcpFiles } from './dhcp-files.ts';
import { isSubnetId } from './names.ts';
import type { SubnetPeers } from './port.ts';

const SubnetStateSchema = Type.Object({
  /** Numbers the subnets of a host: uplink addresses and zones come from it. */
  slot: Type.Integer({ minimum: 0 }),
  dnsDomain: Type.String(),
  /** Of all that the subnet was made from; null while it is being made or removed. */
  digest: Type.Union([Type.String(), Type.Null()]),
});
export type SubnetState = Static<typeof SubnetStateSchema>;

const ExternalsSchema = Type.Array(
  Type.Object({
    macAddress: Type.String(),
    ipAddress: Type.String(),
    externalAddress: Type.String(),
  }),
);
/** A card of a subnet, with the address that it has in the world. */
export type External = Static<typeof ExternalsSchema>[number];

// Compiled: a subnet may have thousands of cards.
const PeersSchema = Compile(
  Type.Object({
    subnetId: SubnetIdSchema,
    epoch: Type.Integer(),
    peers: Type.Array(
      Type.Object({
        tunnelAddress: Type.String(),
        nics: Type.Array(
          Type.Object({
            macAddress: Type.String(),
            ipAddress: Type.String(),
            hostname: Type.String(),
          }),
        ),
      }),
    ),
  }),
);

/**
 * What a host remembers of its subnets, in a folder that should be gone after its restart, as links
 * and rules are: `/run`. Nothing is lost with it; what can't be read counts as not there.
 */
export interface StateFiles {
  /** The subnet's own folder; it need not exist. */
  folder(subnetId: SubnetId): string;
  /** Makes the subnet's folders, readable for dnsmasq's user. */
  makeFolders(subnetId: SubnetId): Promise<void>;
  read(subnetId: SubnetId): Promise<SubnetState | undefined>;
  write(subnetId: SubnetId, state: SubnetState): Promise<void>;
  /** Subnets that have a folder. */
  list(): Promise<readonly SubnetId[]>;
  remove(subnetId: SubnetId): Promise<void>;
  /** Forgets everything. */
  removeAll(): Promise<void>;
  /** Of the subnet's cards: all that may have been applied, in whatever part. */
  readExternals(subnetId: SubnetId): Promise<readonly External[]>;
  /** The subnet has its folder. */
  writeExternals(subnetId: SubnetId, externals: readonly External[]): Promise<void>;
  readPeers(subnetId: SubnetId): Promise<SubnetPeers | undefined>;
  /** An empty list is forgotten. */
  writePeers(peers: SubnetPeers): Promise<void>;
  /** Of all subnets. */
  allPeers(): Promise<readonly SubnetPeers[]>;
}

/** Kept in `folder`. */
export function createStateFiles(folder: string): StateFiles {
  const subnets = join(folder, 'subnets');
  const peers = join(folder, 'peers');
  const folderOf = (subnetId: SubnetId): string => join(subnets, subnetId);
  const stateFile = (subnetId: SubnetId): string => join(folderOf(subnetId), 'subnet.json');
  const externalsFile = (subnetId: SubnetId): string => join(folderOf(subnetId), 'externals.json');
  const peersFile = (subnetId: SubnetId): string => join(peers, `${subnetId}.json`);
  const write = (path: string, value: unknown): Promise<void> =>
    writeFileAtomic(path, JSON.stringify(value), { mode: 0o644, fsync: false });

  const files: StateFiles = {
    folder: folderOf,
    async makeFolders(subnetId) {
      const { leases, names } = dhcpFiles(folderOf(subnetId));
      for (const path of [leases, names]) await mkdir(path, { recursive: true, mode: 0o755 });
    },
    async read(subnetId) {
      const state = await readJson(stateFile(subnetId));
      return Value.Check(SubnetStateSchema, state) ? state : undefined;
    },
    write: (subnetId, state) => write(stateFile(subnetId), state),
    list: async () => (await listFolder(subnets)).filter(isSubnetId),
    remove: (subnetId) => rm(folderOf(subnetId), { recursive: true, force: true }),
    removeAll: () => rm(folder, { recursive: true, force: true }),
    async readExternals(subnetId) {
      const found = await readJson(externalsFile(subnetId));
      return Value.Check(ExternalsSchema, found) ? found : [];
    },
    writeExternals: (subnetId, externals) => write(externalsFile(subnetId), externals),
    async readPeers(subnetId) {
      const found = await readJson(peersFile(subnetId));
      return PeersSchema.Check(found) ? found : undefined;
    },
    async writePeers(told) {
      await mkdir(peers, { recursive: true });
      if (told.peers.length === 0) await rm(peersFile(told.subnetId), { force: true });
      else await write(peersFile(told.subnetId), told);
    },
    async allPeers() {
      const ids = (await listFolder(peers)).map((name) => name.replace('.json', ''));
      const found = await Promise.all(ids.filter(isSubnetId).map(files.readPeers));
      return found.filter((each) => each !== undefined);
    },
  };
  return files;
}

async function readJson(path: string): Promise<unknown> {
  try {
    return await readJsonIfExists(path);
  } catch (error) {
    if (hasErrorCode(error, 'FACTORY_ERR_BAD_JSON_FILE')) return undefined;
    throw error;
  }
}

async function listFolder(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}
