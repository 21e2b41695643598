import { type Usage, UsageSchema } from '@factory/contracts';
import { Compile } from 'typebox/compile';
import type { FactoryClient } from './factory-client.ts';

const usageAnswer = Compile(UsageSchema);

export interface UsageWish {
  readonly from: string;
  readonly to?: string;
  readonly groupBy?: string;
  /** Of a cluster, for its owner. */
  readonly cluster?: string;
  /** Of all projects of the organisation. */
  readonly organisation?: boolean;
}

/** The part of the REST API that is about usage. */
export class UsageClient {
  readonly #client: Pick<FactoryClient, 'call' | 'stream'>;

  constructor(client: Pick<FactoryClient, 'call' | 'stream'>) {
    this.#client = client;
  }

  /** Sums by group. */
  get({ from, to, groupBy, cluster, organisation }: UsageWish): Promise<Usage> {
    const query = new URLSearchParams({ from });
    if (to !== undefined) query.set('to', to);
    if (groupBy !== undefined) query.set('groupBy', groupBy);
    if (organisation === true && cluster === undefined) query.set('of', 'organisation');
    const path =
      cluster === undefined ? '/v1/usage' : `/v1/clusters/${encodeURIComponent(cluster)}/usage`;
    return this.#client.call('GET', `${path}?${query}`, (value) => usageAnswer.Parse(value));
  }

  /** Every interval by the second, as CSV. */
  async *records({ from, to }: Pick<UsageWish, 'from' | 'to'>): AsyncGenerator<string> {
    const query = new URLSearchParams({ from });
    if (to !== undefined) query.set('to', to);
    const stream = await this.#client.stream(`/v1/usage/records?${query}`);
    const decoder = new TextDecoder();
    for await (const part of stream.body) yield decoder.decode(part, { stream: true });
  }
}
