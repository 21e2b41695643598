import {
  type Cluster,
  ClusterSchema,
  type ConformanceReport,
  ConformanceReportSchema,
  type EnrolmentToken,
  EnrolmentTokenSchema,
  type NewEnrolmentToken,
  NewEnrolmentTokenSchema,
} from '@factory/contracts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const clusterAnswer = Compile(ClusterSchema);
const clusterList = Compile(Type.Object({ items: Type.Array(ClusterSchema) }));
const reportAnswer = Compile(ConformanceReportSchema);
const tokenAnswer = Compile(NewEnrolmentTokenSchema);
const tokenList = Compile(Type.Object({ items: Type.Array(EnrolmentTokenSchema) }));

/** The part of the REST API that is about clusters. */
export class ClusterClient {
  readonly #client: Pick<FactoryClient, 'call'>;

  constructor(client: Pick<FactoryClient, 'call'>) {
    this.#client = client;
  }

  async list(): Promise<readonly Cluster[]> {
    const path = '/v1/clusters';
    return (await this.#client.call('GET', path, (value) => clusterList.Parse(value))).items;
  }

  get(name: string): Promise<Cluster> {
    return this.#client.call('GET', pathOf(name), (value) => clusterAnswer.Parse(value));
  }

  /** `POST /v1/clusters/{cluster}:{verb}` */
  act(name: string, verb: string, body?: object): Promise<Cluster> {
    const path = `${pathOf(name)}:${verb}`;
    return this.#client.call('POST', path, (value) => clusterAnswer.Parse(value), body);
  }

  conformance(name: string): Promise<ConformanceReport> {
    const path = `${pathOf(name)}/conformance`;
    return this.#client.call('GET', path, (value) => reportAnswer.Parse(value));
  }

  createToken(request: object): Promise<NewEnrolmentToken> {
    const path = '/v1/enrolment-tokens';
    return this.#client.call('POST', path, (value) => tokenAnswer.Parse(value), request);
  }

  async listTokens(): Promise<readonly EnrolmentToken[]> {
    const path = '/v1/enrolment-tokens';
    return (await this.#client.call('GET', path, (value) => tokenList.Parse(value))).items;
  }

  async revokeToken(id: string): Promise<void> {
    const path = `/v1/enrolment-tokens/${encodeURIComponent(id)}`;
    await this.#client.call('DELETE', path, () => undefined);
  }
}

function pathOf(name: string): string {
  return `/v1/clusters/${encodeURIComponent(name)}`;
}
