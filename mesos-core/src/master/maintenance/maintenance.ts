import { MesosHttpError } from '../../http/mesos-http.ts';
import type {
  InverseOfferStatus,
  MachineID,
  MaintenanceClusterStatus,
  MaintenanceSchedule,
  MasterCall,
  MasterResponse,
  Unavailability,
} from '../../protocol/index.ts';
import type { MasterCore } from '../core.ts';
import type { Agent } from '../state.ts';
import {
  type Change,
  drainingMachines,
  isMachineDown,
  machineKey,
  unavailabilities,
  withSchedule,
  withStarted,
  withStopped,
} from './machines.ts';

/** Calls about planned maintenance. */
export type MaintenanceCall = Extract<
  MasterCall,
  {
    type:
      | 'GET_MAINTENANCE_SCHEDULE'
      | 'GET_MAINTENANCE_STATUS'
      | 'UPDATE_MAINTENANCE_SCHEDULE'
      | 'START_MAINTENANCE'
      | 'STOP_MAINTENANCE';
  }
>;

/**
 * Planned maintenance of machines. While a machine is scheduled, offers of its agents say so and
 * frameworks there get inverse offers; while it is down, it has no agents. The plan is in the
 * registry; answers to inverse offers are not, as in Mesos: a new master asks again.
 */
export class Maintenance {
  readonly #core: MasterCore;
  readonly #remove: (agent: Agent) => Promise<unknown>;

  /** @param remove takes an agent out for good and tells it to shut down. */
  constructor(core: MasterCore, remove: (agent: Agent) => Promise<unknown>) {
    this.#core = core;
    this.#remove = remove;
  }

  /**
   * Carries out one call; what changes the plan resolves when that is durable.
   * @throws MesosHttpError 400 for a plan or a step that can't be.
   */
  async handle(call: MaintenanceCall): Promise<MasterResponse | undefined> {
    const { maintenance } = this.#core.registry;
    switch (call.type) {
      case 'GET_MAINTENANCE_SCHEDULE':
        return { type: call.type, get_maintenance_schedule: { schedule: this.schedule() } };
      case 'GET_MAINTENANCE_STATUS':
        return { type: call.type, get_maintenance_status: { status: this.status() } };
      case 'UPDATE_MAINTENANCE_SCHEDULE':
        await this.#apply(withSchedule(maintenance, call.update_maintenance_schedule.schedule));
        return undefined;
      case 'START_MAINTENANCE':
        await this.#apply(withStarted(maintenance, call.start_maintenance.machines));
        await this.#clearDownMachines();
        return undefined;
      case 'STOP_MAINTENANCE':
        await this.#apply(withStopped(maintenance, call.stop_maintenance.machines));
        return undefined;
    }
  }

  /** What is planned. */
  schedule(): MaintenanceSchedule {
    const { windows = [] } = this.#core.registry.maintenance ?? {};
    return windows.length === 0 ? {} : { windows };
  }

  /** Machines that are not up, with what frameworks on them said. */
  status(): MaintenanceClusterStatus {
    const { state, registry } = this.#core;
    const agents = Map.groupBy(state.agents.values(), (agent) => machineKey(machineOf(agent)));
    const draining = drainingMachines(registry.maintenance).map((id) => {
      const statuses = (agents.get(machineKey(id)) ?? []).flatMap((each) => this.#answers(each.id));
      return statuses.length === 0 ? { id } : { id, statuses };
    });
    const down = registry.maintenance?.down ?? [];
    return {
      ...(draining.length === 0 ? {} : { draining_machines: draining }),
      ...(down.length === 0 ? {} : { down_machines: down }),
    };
  }

  /** Whether agents of a machine may not register. */
  isDown(machine: MachineID): boolean {
    return isMachineDown(this.#core.registry.maintenance, machine);
  }

  /** An agent is here, maybe under a new master: its maintenance is planned as before. */
  onSubscribed(agent: Agent): void {
    const planned = unavailabilities(this.#core.registry.maintenance);
    this.#announce(agent, planned.get(machineKey(machineOf(agent))));
  }

  async #apply(change: Change): Promise<void> {
    if (change.problem !== undefined) throw new MesosHttpError(400, change.problem);
    const { plan } = change;
    await this.#core.updateRegistry((registry) => ({ ...registry, maintenance: plan }));
    const planned = unavailabilities(this.#core.registry.maintenance);
    for (const agent of this.#core.state.agents.values()) {
      this.#announce(agent, planned.get(machineKey(machineOf(agent))));
    }
  }

  /** Offers that do not say when the agent will be away, or say it wrongly, are taken back. */
  #announce(agent: Agent, unavailability: Unavailability | undefined): void {
    const { allocator } = this.#core;
    if (isSame(allocator.unavailabilityOf(agent.id), unavailability)) return;
    this.#core.rescindOffersOf(agent);
    allocator.setUnavailability(agent.id, unavailability);
  }

  async #clearDownMachines(): Promise<void> {
    const agents = [...this.#core.state.agents.values()];
    const removed = agents.filter((agent) => this.isDown(machineOf(agent)));
    await Promise.all(removed.map((agent) => this.#remove(agent)));
  }

  #answers(agentId: string): readonly InverseOfferStatus[] {
    const statuses = this.#core.allocator.inverseOfferStatuses(agentId);
    return Array.from(statuses, ([frameworkId, { status, atMs }]) => ({
      status,
      framework_id: { value: frameworkId },
      timestamp: { nanoseconds: Math.round(atMs * 1e6) },
    }));
  }
}

function machineOf({ info, ip }: Agent): MachineID {
  return { hostname: info.hostname, ip };
}

function isSame(a: Unavailability | undefined, b: Unavailability | undefined): boolean {
  return (
    a?.start.nanoseconds === b?.start.nanoseconds &&
    a?.duration?.nanoseconds === b?.duration?.nanoseconds
  );
}
