import type { Subnet, SubnetChange, SubnetRequest } from '@factory/contracts';
import { type FactoryClient, NoSuchThingError } from './factory-client.ts';

/** The part of the REST API that is about subnets. */
export class SubnetClient {
  readonly #client: Pick<FactoryClient, 'api'>;

  constructor(client: Pick<FactoryClient, 'api'>) {
    this.#client = client;
  }

  create(request: SubnetRequest): Promise<Subnet> {
    return this.#client.api.call('createSubnet', { body: request });
  }

  list(): Promise<readonly Subnet[]> {
    return this.#client.api.all('listSubnets', {});
  }

  /** The subnet with this id or name. @throws NoSuchThingError */
  async find(idOrName: string): Promise<Subnet> {
    if (/^sub_[0-9a-f]{32}$/.test(idOrName)) {
      return this.#client.api.call('getSubnet', { path: { id: idOrName } });
    }
    const [subnet] = await this.#client.api.all('listSubnets', { query: { name: idOrName } });
    if (subnet !== undefined) return subnet;
    throw new NoSuchThingError('subnet', idOrName, 'See: ./factory subnet list');
  }

  change(id: string, change: SubnetChange): Promise<Subnet> {
    return this.#client.api.call('changeSubnet', { path: { id }, body: change });
  }

  delete(id: string): Promise<void> {
    return this.#client.api.call('deleteSubnet', { path: { id } });
  }
}
