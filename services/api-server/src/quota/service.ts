import {
  type OrganisationId,
  PROBLEMS,
  type ProjectId,
  type Quota,
  type QuotaLimits,
} from '@factory/contracts';
import { ProblemError } from '@factory/runtime';
import type { Principal } from '../http/principal.ts';
import type { QuotaStanding } from './rules.ts';
import type { QuotaStore, SetLimitsResult } from './store.ts';

/** What the quota routes can do. */
export class QuotaService {
  readonly #store: QuotaStore;

  constructor(store: { readonly quota: QuotaStore }) {
    this.#store = store.quota;
  }

  /** What the project and its organisation may have, and have. @throws ProblemError 404 */
  async get(projectId: ProjectId): Promise<Quota> {
    const view = (await this.#store.find(projectId)) ?? throwNotFound(projectId);
    return {
      project: { id: projectId, ...show(view.project) },
      organisation: { id: view.organisationId, ...show(view.organisation) },
    };
  }

  /**
   * Replaces a project's limits, for the admins of its organisation and for who runs the factory.
   * @throws ProblemError 404, or naming the limit that is above the organisation's.
   */
  async setOfProject(
    { organisationId, isPlatform }: Principal,
    id: ProjectId,
    limits: QuotaLimits,
  ): Promise<Quota> {
    const whose = isPlatform ? undefined : organisationId;
    orThrow(await this.#store.setOfProject(id, whose, limits), id);
    return this.get(id);
  }

  /** Replaces an organisation's limits; projects' that are above them stay, and do not help. */
  async setOfOrganisation(id: OrganisationId, limits: QuotaLimits): Promise<QuotaLimits> {
    orThrow(await this.#store.setOfOrganisation(id, limits), id);
    return limits;
  }
}

function show({ limits, used }: QuotaStanding) {
  return { limits, used };
}

function orThrow(result: SetLimitsResult, id: string): void {
  switch (result.kind) {
    case 'set':
      return;
    case 'notFound':
      throwNotFound(id);
      break;
    case 'above': {
      const { limit, max } = result;
      const detail = `The organisation may have ${max} itself; a project's limit is at most that.`;
      throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: limit });
    }
  }
}

function throwNotFound(id: string): never {
  throw new ProblemError(PROBLEMS.notFound, `There is no ${id}.`);
}
