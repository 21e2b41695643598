import {
  type ApiKeyRequest,
  ApiKeySchema,
  type ApiKeyView,
  type NewApiKey,
  NewApiKeySchema,
  type NewUser,
  NewUserSchema,
  type Project,
  ProjectSchema,
  type User,
  type UserRequest,
  UserSchema,
} from '@factory/contracts';
import { type TSchema, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FactoryClient, NoSuchThingError } from './factory-client.ts';

function pageOf<Item extends TSchema>(item: Item) {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([Type.String(), Type.Null()]),
  });
}

const projectAnswer = Compile(ProjectSchema);
const projectPage = Compile(pageOf(ProjectSchema));
const keyPage = Compile(pageOf(ApiKeySchema));
const newKey = Compile(NewApiKeySchema);
const userPage = Compile(pageOf(UserSchema));
const newUser = Compile(NewUserSchema);

/** The part of the REST API that is about who may use the factory. */
export class AccessClient {
  readonly #client: Pick<FactoryClient, 'call' | 'all'>;

  constructor(client: Pick<FactoryClient, 'call' | 'all'>) {
    this.#client = client;
  }

  createProject(name: string): Promise<Project> {
    const decode = (value: unknown) => projectAnswer.Parse(value);
    return this.#client.call('POST', '/v1/projects', decode, { name });
  }

  projects(): Promise<readonly Project[]> {
    return this.#client.all('/v1/projects', (value) => projectPage.Parse(value));
  }

  closeProject(id: string): Promise<void> {
    return this.#client.call('DELETE', `/v1/projects/${id}`, () => undefined);
  }

  /** The project with this id or name. @throws NoSuchThingError */
  async findProject(idOrName: string): Promise<Project> {
    const all = await this.projects();
    const found = all.find(({ id, name }) => id === idOrName || name === idOrName);
    if (found !== undefined) return found;
    throw new NoSuchThingError('project', idOrName, 'See: ./factory project list');
  }

  createKey(request: ApiKeyRequest): Promise<NewApiKey> {
    return this.#client.call('POST', '/v1/api-keys', (value) => newKey.Parse(value), request);
  }

  /** Of the own project, or of another. */
  keys(projectId?: string): Promise<readonly ApiKeyView[]> {
    const query = projectId === undefined ? '' : `?projectId=${projectId}`;
    return this.#client.all(`/v1/api-keys${query}`, (value) => keyPage.Parse(value));
  }

  rotateKey(id: string, graceSeconds: number | undefined): Promise<NewApiKey> {
    const body = graceSeconds === undefined ? {} : { graceSeconds };
    const decode = (value: unknown) => newKey.Parse(value);
    return this.#client.call('POST', `/v1/api-keys/${id}:rotate`, decode, body);
  }

  revokeKey(id: string): Promise<void> {
    return this.#client.call('DELETE', `/v1/api-keys/${id}`, () => undefined);
  }

  createUser(request: UserRequest): Promise<NewUser> {
    return this.#client.call('POST', '/v1/users', (value) => newUser.Parse(value), request);
  }

  users(): Promise<readonly User[]> {
    return this.#client.all('/v1/users', (value) => userPage.Parse(value));
  }

  /** The user with this id or email. @throws NoSuchThingError */
  async findUser(idOrEmail: string): Promise<User> {
    const wanted = idOrEmail.toLowerCase();
    const found = (await this.users()).find(({ id, email }) => id === wanted || email === wanted);
    if (found !== undefined) return found;
    throw new NoSuchThingError('user', idOrEmail, 'See: ./factory user list');
  }

  resetPassword(id: string): Promise<NewUser> {
    const decode = (value: unknown) => newUser.Parse(value);
    return this.#client.call('POST', `/v1/users/${id}:resetPassword`, decode);
  }

  deleteUser(id: string): Promise<void> {
    return this.#client.call('DELETE', `/v1/users/${id}`, () => undefined);
  }
}
