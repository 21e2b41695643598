import {
  ID_PREFIXES,
  PROBLEMS,
  type ProjectId,
  SUBNET_LIMITS,
  type Subnet,
  type SubnetChange,
  type SubnetId,
  type SubnetRequest,
} from '@factory/contracts';
import { type Clock, type IdGenerator, ProblemError } from '@factory/runtime';
import { quotaExceeded } from '../quota/rules.ts';
import type { ApiStore } from '../store/api-store.ts';
import { gatewayAddress, INITIAL_OFFSET, usableAddresses } from './addresses.ts';
import { DEFAULT_SUBNET } from './cards.ts';
import {
  defaultDomain,
  type FieldProblem,
  ruleSubnet,
  ruleSubnetChange,
  type SubnetWish,
} from './rules.ts';
import type { NewSubnet, SubnetStore, SubnetView } from './store.ts';

/** What the subnet routes can do. */
export class SubnetService {
  readonly #store: SubnetStore;
  readonly #clock: Clock;
  readonly #newId: IdGenerator;

  constructor(parts: {
    readonly store: Pick<ApiStore, 'subnets'>;
    readonly clock: Clock;
    readonly newId: IdGenerator;
  }) {
    this.#store = parts.store.subnets;
    this.#clock = parts.clock;
    this.#newId = parts.newId;
  }

  /** @throws ProblemError naming the field at fault. */
  async create(projectId: ProjectId, request: SubnetRequest): Promise<Subnet> {
    const wish = orThrow(ruleSubnet(request));
    const subnet = newSubnet(this.#newId, projectId, wish, this.#clock.nowMs());
    const result = await this.#store.create(subnet);
    switch (result.kind) {
      case 'created':
        return showSubnet(result.view);
      case 'nameTaken':
        throw nameTaken(result.subnetId, wish.name);
      case 'overQuota':
        throw quotaExceeded(result.excess);
      case 'tooMany': {
        const detail = `The project has ${SUBNET_LIMITS.subnetsMax} subnets, which is the most.`;
        throw new ProblemError(PROBLEMS.limitReached, detail);
      }
    }
  }

  list(query: Parameters<SubnetStore['list']>[0]): Promise<readonly SubnetView[]> {
    return this.#store.list(query);
  }

  /** @throws ProblemError 404 when the project has no such subnet. */
  async get(projectId: ProjectId, id: SubnetId): Promise<Subnet> {
    return showSubnet((await this.#store.find(projectId, id)) ?? throwNotFound(id));
  }

  /** @throws ProblemError 404, or naming the field at fault. */
  async change(projectId: ProjectId, id: SubnetId, change: SubnetChange): Promise<Subnet> {
    const patch = orThrow(ruleSubnetChange(change));
    const result = await this.#store.change(projectId, id, patch);
    switch (result.kind) {
      case 'changed':
        return showSubnet(result.view);
      case 'nameTaken':
        throw nameTaken(result.subnetId, change.name ?? '');
      case 'notFound':
        return throwNotFound(id);
    }
  }

  /** @throws ProblemError 404, or 409 while machines are in it. */
  async delete(projectId: ProjectId, id: SubnetId): Promise<void> {
    const result = await this.#store.delete(projectId, id, this.#clock.nowMs());
    if (result.kind === 'notFound') throwNotFound(id);
    if (result.kind !== 'inUse') return;
    const { vmCount, waitingBatchCount } = result;
    const machines = vmCount === 1 ? '1 machine is' : `${vmCount} machines are`;
    const waiting =
      waitingBatchCount === 0
        ? ''
        : `, and ${waitingBatchCount === 1 ? '1 batch waits' : `${waitingBatchCount} batches wait`}`;
    const detail = `${machines} in the subnet${waiting}; delete what is in it first.`;
    throw new ProblemError(PROBLEMS.subnetInUse, detail);
  }
}

/** The subnet that a project gets when it needs one. */
export function defaultSubnetWish(cidr: string): SubnetWish {
  const name = DEFAULT_SUBNET;
  return { name, cidr, egress: 'none', dnsDomain: defaultDomain(name), securityRules: [] };
}

/** A subnet that is yet to be kept. */
export function newSubnet(
  newId: IdGenerator,
  projectId: ProjectId,
  wish: SubnetWish,
  nowMs: number,
): NewSubnet {
  return {
    ...wish,
    id: newId(ID_PREFIXES.subnet) as SubnetId,
    projectId,
    nextOffset: INITIAL_OFFSET,
    createdAtMs: nowMs,
    deletedAtMs: null,
  };
}

/** A subnet as the API shows it. */
export function showSubnet({ subnet, usedAddresses }: SubnetView): Subnet {
  const { id, name, projectId, cidr, egress, dnsDomain, securityRules, vni } = subnet;
  return {
    id,
    name,
    projectId,
    cidr,
    gatewayAddress: gatewayAddress(cidr),
    egress,
    dnsDomain,
    securityRules: [...securityRules],
    vni: vni ?? 0,
    addressCount: usableAddresses(cidr),
    usedAddressCount: usedAddresses,
    createdAt: new Date(subnet.createdAtMs).toISOString(),
  };
}

function orThrow<T extends object>(ruling: T | FieldProblem): T {
  if (!('detail' in ruling)) return ruling;
  const { field, detail } = ruling;
  throw new ProblemError(PROBLEMS.invalidRequest, detail, { field });
}

function nameTaken(id: SubnetId, name: string): ProblemError {
  const detail = `${id} is called ${name}; delete it first or use another name.`;
  return new ProblemError(PROBLEMS.nameTaken, detail, { field: 'name' });
}

function throwNotFound(id: SubnetId): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no subnet ${id}.`);
}
