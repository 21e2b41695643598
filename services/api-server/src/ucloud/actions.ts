import {
  BatchSchema,
  ProjectSchema,
  type UcloudParams,
  type Vm,
  VmSchema,
} from '@factory/contracts';
import { type Clock, type Random, sleep } from '@factory/runtime';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Principal } from '../http/principal.ts';
import { integer, list, type RestCall, required, UcloudError, unavailable } from './call.ts';
import { seconds, showUHost } from './uhost.ts';

const PAGE = 500;
/** As far as lists are read; who has more works with the REST API. */
const VMS_MAX = 20_000;
const PLANNED_WITHIN_MS = 20_000;
const LOOK_AGAIN_MS = 250;

const cursor = Type.Union([Type.String(), Type.Null()]);
const vmPage = Compile(Type.Object({ items: Type.Array(VmSchema), nextCursor: cursor }));
const vmAnswer = Compile(VmSchema);
const projectPage = Compile(Type.Object({ items: Type.Array(ProjectSchema) }));
const batchAnswer = Compile(BatchSchema);
const Cluster = Type.Object({
  id: Type.String(),
  name: Type.String(),
  region: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});
const clusterList = Compile(Type.Object({ items: Type.Array(Cluster) }));
const Image = Type.Object({
  name: Type.String(),
  origin: Type.String(),
  version: Type.Union([Type.String(), Type.Null()]),
});
const imageList = Compile(Type.Object({ items: Type.Array(Image) }));

/** What an action works with. */
export interface ActionContext {
  readonly call: RestCall;
  readonly params: UcloudParams;
  readonly principal: Principal;
  readonly clock: Clock;
  readonly random: Random;
}

type Action = (context: ActionContext) => Promise<object>;

/** The actions that are understood: each gives the fields of its answer. */
export const ACTIONS: Readonly<Record<string, Action>> = {
  CreateUHostInstance: createUHosts,
  DescribeUHostInstance: describeUHosts,
  StartUHostInstance: (context) => actOn(context, 'start'),
  // A machine is powered off in either case: guests are not asked to.
  StopUHostInstance: (context) => actOn(context, 'stop'),
  PoweroffUHostInstance: (context) => actOn(context, 'stop'),
  RebootUHostInstance: (context) => actOn(context, 'reboot'),
  TerminateUHostInstance: async ({ call, params }) => {
    const id = uhostId(params);
    await call('DELETE', `/v1/vms/${id}`);
    return { UHostId: id, InRecycle: 'No' };
  },
  CreateCustomImage: async ({ call, params }) => {
    const name = required(params, 'ImageName');
    await call('POST', `/v1/vms/${uhostId(params)}:makeImage`, { name });
    return { ImageId: name };
  },
  DescribeImage: describeImages,
  GetProjectList: async ({ call, principal }) => {
    const { items } = projectPage.Parse(await call('GET', `/v1/projects?limit=${PAGE}`));
    const open = items.filter(({ state }) => state === 'open');
    const shown = open.map(({ id, name, createdAt }) => ({
      ...{ ProjectId: id, ProjectName: name, CreateTime: seconds(createdAt) },
      ...{ IsDefault: id === principal.projectId, ParentId: '', ParentName: '' },
    }));
    return { ProjectCount: shown.length, ProjectSet: shown };
  },
  GetRegion: async ({ call }) => {
    const clusters = await clustersOf(call);
    const shown = clusters.map(({ name, region }, index) => ({
      ...{ RegionId: index + 1, RegionName: region, Region: region, Zone: name },
      ...{ IsDefault: index === 0, BitMaps: '' },
    }));
    return { Regions: shown };
  },
};

/** Machines of a batch of their own, named after `Name`; answered once they have their ids. */
async function createUHosts({ call, params, clock, random }: ActionContext): Promise<object> {
  const count = integer(params, 'MaxCount', { min: 1, max: 100, default: 1 });
  const size = bootDiskGiB(params);
  const { UserData: userData, Zone: zone } = params;
  const subnet = params.SubnetId;
  const request = {
    name: batchName(params.Name, random),
    image: required(params, 'ImageId'),
    count,
    vcpus: integer(params, 'CPU', { min: 1, max: 512, default: 4 }),
    memoryMiB: integer(params, 'Memory', { min: 1, max: 16_777_216, default: 8_192 }),
    ...(size === undefined ? {} : { diskGiB: size }),
    ...(userData === undefined ? {} : { userData: fromBase64(userData, 'UserData') }),
    ...(subnet === undefined ? {} : { network: { subnet } }),
    ...(zone === undefined ? {} : { clusters: { names: [zone] } }),
  };
  const batch = batchAnswer.Parse(await createBatch(call, request, params));
  const endMs = clock.monotonicMs() + PLANNED_WITHIN_MS;
  for (;;) {
    const vms = await vmsOf(call, `batchId=${batch.id}&`);
    if (vms.length >= count) {
      return { UHostIds: vms.map(({ id }) => id), IPs: vms.flatMap((vm) => vm.ipAddress ?? []) };
    }
    if (clock.monotonicMs() >= endMs) {
      const why = `The machines of ${batch.name} are being made; see DescribeUHostInstance with this Tag`;
      throw new UcloudError('timeout', why);
    }
    await sleep(clock, LOOK_AGAIN_MS);
  }
}

/**
 * UCloud's clients always give a password. Here only Windows machines are given one: for others, which
 * have keys and user-data, it is left out.
 */
async function createBatch(call: RestCall, request: object, params: UcloudParams) {
  const { Password: password, LoginMode: mode } = params;
  const create = (more: object) => call('POST', '/v1/batches', { ...request, ...more });
  if (password === undefined || mode === 'KeyPair') return create({});
  try {
    return await create({ adminPassword: fromBase64(password, 'Password') });
  } catch (error) {
    if (error instanceof UcloudError && error.field === 'adminPassword') return create({});
    throw error;
  }
}

async function describeUHosts({ call, params }: ActionContext): Promise<object> {
  const offset = integer(params, 'Offset', { min: 0, max: VMS_MAX, default: 0 });
  const limit = integer(params, 'Limit', { min: 1, max: 100, default: 20 });
  const ids = list(params, 'UHostIds');
  const { Tag: tag, Zone: zone } = params;
  const zones = new Map((await clustersOf(call)).map(({ id, name }) => [id, name]));
  const all = ids.length > 0 ? await vmsById(call, ids) : await vmsOf(call, '');
  const found = all
    .filter((vm) => tag === undefined || vm.batchName === tag)
    .filter((vm) => zone === undefined || zones.get(vm.clusterId ?? '') === zone);
  const page = found.slice(offset, offset + limit);
  return { TotalCount: found.length, UHostSet: page.map((vm) => showUHost(vm, zones)) };
}

async function describeImages({ call, params }: ActionContext): Promise<object> {
  const offset = integer(params, 'Offset', { min: 0, max: VMS_MAX, default: 0 });
  const limit = integer(params, 'Limit', { min: 1, max: 100, default: 20 });
  const { ImageId: id, ImageType: type } = params;
  const { items } = imageList.Parse(await call('GET', '/v1/images'));
  const shown = items
    .map(({ name, origin, version }) => ({
      ...{ ImageId: name, ImageName: name, OsName: name, Features: [] },
      ImageType: origin === 'project' ? 'Custom' : 'Base',
      State: origin === 'project' && version === null ? 'Making' : 'Available',
    }))
    .filter((image) => id === undefined || image.ImageId === id)
    .filter((image) => type === undefined || image.ImageType === type);
  return { TotalCount: shown.length, ImageSet: shown.slice(offset, offset + limit) };
}

async function actOn(
  { call, params }: ActionContext,
  verb: 'start' | 'stop' | 'reboot',
): Promise<object> {
  const id = uhostId(params);
  await call('POST', `/v1/vms/${id}:${verb}`);
  return { UHostId: id, UhostId: id };
}

async function vmsOf(call: RestCall, filter: string): Promise<readonly Vm[]> {
  const vms: Vm[] = [];
  let after = '';
  do {
    const path = `/v1/vms?${filter}limit=${PAGE}${after}`;
    const { items, nextCursor } = vmPage.Parse(await call('GET', path));
    vms.push(...items);
    if (nextCursor === null) break;
    after = `&cursor=${encodeURIComponent(nextCursor)}`;
  } while (vms.length < VMS_MAX);
  return vms;
}

/** As UCloud does: those that there are. */
async function vmsById(call: RestCall, ids: readonly string[]): Promise<readonly Vm[]> {
  const found = await Promise.all(
    ids.slice(0, 100).map(async (id) => {
      try {
        return [vmAnswer.Parse(await call('GET', `/v1/vms/${encodeURIComponent(id)}`))];
      } catch (error) {
        if (error instanceof UcloudError && error.code === 'badParameter') return [];
        throw error;
      }
    }),
  );
  return found.flat();
}

async function clustersOf(call: RestCall) {
  const { items } = clusterList.Parse(await call('GET', '/v1/clusters'));
  return items.map(({ id, name, region }) => ({ id, name, region: region || 'default' }));
}

/** @throws UcloudError: it goes into a path. */
function uhostId(params: UcloudParams): string {
  const id = required(params, 'UHostId');
  if (/^vm_[0-9a-f]{32}$/.test(id)) return id;
  throw unavailable('UHostId');
}

/** There are no further disks but volumes, which are shared by name. */
function bootDiskGiB(params: UcloudParams): number | undefined {
  const indexes = Object.keys(params).flatMap(
    (key) => /^Disks\.(\d+)\.IsBoot$/.exec(key)?.[1] ?? [],
  );
  const isBoot = (index: string) => params[`Disks.${index}.IsBoot`]?.toLowerCase() === 'true';
  const further = indexes.find((index) => !isBoot(index));
  if (further !== undefined) throw unavailable(`Disks.${further}`);
  const [boot] = indexes;
  if (boot === undefined) return undefined;
  return integer(params, `Disks.${boot}.Size`, { min: 1, max: 65_536, default: 20 });
}

/** Batches have DNS names, each its own; UCloud's names are free and may be the same. */
function batchName(name: string | undefined, random: Random): string {
  const plain = (name ?? 'uhost').toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  const base = plain.replaceAll(/^-+|-+$/g, '').slice(0, 40) || 'uhost';
  return `${base}-${Buffer.from(random.bytes(4)).toString('hex')}`;
}

function fromBase64(text: string, name: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw unavailable(name);
  return Buffer.from(text, 'base64').toString('utf8');
}
