import {
  type Subnet,
  type SubnetChange,
  type SubnetRequest,
  SubnetSchema,
} from '@factory/contracts';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FactoryClient, NoSuchThingError } from './factory-client.ts';

const subnetAnswer = Compile(SubnetSchema);
const subnetPage = Compile(
  Type.Object({
    items: Type.Array(SubnetSchema),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
  }),
);

/** The part of the REST API that is about subnets. */
export class SubnetClient {
  readonly #client: Pick<FactoryClient, 'call' | 'all'>;

  constructor(client: Pick<FactoryClient, 'call' | 'all'>) {
    this.#client = client;
  }

  create(request: SubnetRequest): Promise<Subnet> {
    const decode = (value: unknown) => subnetAnswer.Parse(value);
    return this.#client.call('POST', '/v1/subnets', decode, request);
  }

  list(): Promise<readonly Subnet[]> {
    return this.#client.all('/v1/subnets', (value) => subnetPage.Parse(value));
  }

  /** The subnet with this id or name. @throws NoSuchThingError */
  async find(idOrName: string): Promise<Subnet> {
    if (/^sub_[0-9a-f]{32}$/.test(idOrName)) {
      const path = `/v1/subnets/${idOrName}`;
      return this.#client.call('GET', path, (value) => subnetAnswer.Parse(value));
    }
    const path = `/v1/subnets?name=${encodeURIComponent(idOrName)}`;
    const [subnet] = await this.#client.all(path, (value) => subnetPage.Parse(value));
    if (subnet !== undefined) return subnet;
    throw new NoSuchThingError('subnet', idOrName, 'See: ./factory subnet list');
  }

  change(id: string, change: SubnetChange): Promise<Subnet> {
    const decode = (value: unknown) => subnetAnswer.Parse(value);
    return this.#client.call('PATCH', `/v1/subnets/${id}`, decode, change);
  }

  delete(id: string): Promise<void> {
    return this.#client.call('DELETE', `/v1/subnets/${id}`, () => undefined);
  }
}
