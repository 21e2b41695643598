import { listFiles, readFile } from '../files/files-calls.ts';
import { MesosHttpError } from '../http/mesos-http.ts';
import { LazyList, LazyMessage, type MasterCall, type MasterResponse } from '../protocol/index.ts';
import { VERSION_INFO } from '../version-info.ts';
import type { Agents } from './agents.ts';
import type { MasterCore } from './core.ts';
import type { Frameworks } from './frameworks.ts';
import { masterFigures } from './metrics/figures.ts';
import { getOperations, operateOnAgent } from './operations/operator-calls.ts';
import { handleQuotaCall } from './quota/quota.ts';
import { roleList } from './views/role-list.ts';
import { takeSnapshot } from './views/snapshot.ts';
import { answerStateQuery } from './views/state-queries.ts';
import { visibilityOf } from './visibility.ts';
import { handleWeightsCall } from './weights/weights.ts';

/** The operator API: what the cluster looks like, and a few things that only operators do. */
export class OperatorApi {
  readonly #core: MasterCore;
  readonly #frameworks: Frameworks;
  readonly #agents: Agents;

  constructor(core: MasterCore, frameworks: Frameworks, agents: Agents) {
    this.#core = core;
    this.#frameworks = frameworks;
    this.#agents = agents;
  }

  /**
   * Answers one call; `undefined` for calls that are answered with an empty body.
   * @param principal who calls, where that is known.
   * @throws MesosHttpError 400 for what does not exist, 501 for what is not supported.
   */
  async handle(
    call: MasterCall,
    principal?: string,
  ): Promise<MasterResponse | LazyMessage | undefined> {
    switch (call.type) {
      case 'GET_HEALTH':
        return { type: 'GET_HEALTH', get_health: { healthy: true } };
      case 'GET_VERSION':
        return { type: 'GET_VERSION', get_version: { version_info: VERSION_INFO } };
      case 'GET_FLAGS': {
        const flags = Object.entries(this.#core.flags).map(([name, value]) => ({ name, value }));
        return { type: 'GET_FLAGS', get_flags: { flags } };
      }
      case 'GET_LOGGING_LEVEL':
        return {
          type: 'GET_LOGGING_LEVEL',
          get_logging_level: { level: this.#core.logging.level },
        };
      case 'SET_LOGGING_LEVEL': {
        const { level, duration } = call.set_logging_level;
        this.#core.logging.set(level, duration.nanoseconds / 1e6);
        return undefined;
      }
      case 'LIST_FILES':
        return listFiles(this.#core.filesApi, call.list_files, principal);
      case 'READ_FILE':
        return readFile(this.#core.filesApi, call.read_file, principal);
      case 'GET_MASTER': {
        const start_time = this.#core.startedAtMs / 1000;
        const get_master = {
          master_info: this.#core.masterInfo,
          start_time,
          elected_time: start_time,
        };
        return { type: 'GET_MASTER', get_master };
      }
      case 'GET_AGENTS':
      case 'GET_FRAMEWORKS':
      case 'GET_TASKS':
      case 'GET_EXECUTORS':
      case 'GET_STATE':
        return answerStateQuery(
          call.type,
          takeSnapshot(this.#core, visibilityOf(this.#core.authorizer, principal)),
        );
      case 'GET_ROLES':
        return { type: 'GET_ROLES', get_roles: { roles: roleList(this.#core) } };
      case 'GET_METRICS': {
        const core = this.#core;
        const metrics = new LazyList(function* () {
          for (const figure of masterFigures(core)) {
            yield figure === undefined ? undefined : { name: figure[0], value: figure[1] };
          }
        });
        return new LazyMessage({ type: 'GET_METRICS', get_metrics: new LazyMessage({ metrics }) });
      }
      case 'TEARDOWN':
        await this.#teardown(call.teardown.framework_id.value);
        return undefined;
      case 'MARK_AGENT_GONE':
        await this.#markGone(call.mark_agent_gone.agent_id.value);
        return undefined;
      case 'DRAIN_AGENT':
      case 'DEACTIVATE_AGENT':
      case 'REACTIVATE_AGENT':
        await this.#agents.draining.handle(call);
        return undefined;
      case 'GET_MAINTENANCE_SCHEDULE':
      case 'GET_MAINTENANCE_STATUS':
      case 'UPDATE_MAINTENANCE_SCHEDULE':
      case 'START_MAINTENANCE':
      case 'STOP_MAINTENANCE':
        return this.#agents.maintenance.handle(call);
      case 'GET_QUOTA':
      case 'UPDATE_QUOTA':
      case 'SET_QUOTA':
      case 'REMOVE_QUOTA':
        return handleQuotaCall(this.#core, call);
      case 'GET_WEIGHTS':
      case 'UPDATE_WEIGHTS':
        return handleWeightsCall(this.#core, call);
      case 'GET_OPERATIONS':
        return { type: 'GET_OPERATIONS', get_operations: getOperations(this.#core) };
      case 'RESERVE_RESOURCES':
      case 'UNRESERVE_RESOURCES':
      case 'CREATE_VOLUMES':
      case 'DESTROY_VOLUMES':
      case 'GROW_VOLUME':
      case 'SHRINK_VOLUME':
        operateOnAgent(this.#core, call, principal);
        return undefined;
      default:
        throw new MesosHttpError(501, `The call ${call.type} is not supported`);
    }
  }

  async #teardown(frameworkId: string): Promise<void> {
    const framework = this.#core.state.frameworks.get(frameworkId);
    if (framework === undefined)
      throw new MesosHttpError(400, 'No framework found with specified ID');
    await this.#frameworks.remove(framework);
  }

  async #markGone(agentId: string): Promise<void> {
    if (await this.#agents.markGone(agentId)) return;
    throw new MesosHttpError(404, `Agent '${agentId}' not found`);
  }
}
