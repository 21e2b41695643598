import { API_ROUTES, type ApiOperations } from '@factory/contracts';
import type { HttpRequest } from '@factory/runtime';

/** The names of all operations of the REST API. */
export type OperationName = keyof ApiOperations;
type Answer<Name extends OperationName> = ApiOperations[Name]['answer'];

/** A part of a request may be left out when nothing in it must be there. */
type Part<Key extends string, Value> = [Value] extends [undefined]
  ? unknown
  : Record<string, never> extends Value
    ? { readonly [Each in Key]?: Value }
    : { readonly [Each in Key]: Value };

/** What a call of the operation is given. */
export type Given<Name extends OperationName> = Part<'path', ApiOperations[Name]['path']> &
  Part<'query', ApiOperations[Name]['query']> &
  Part<'headers', ApiOperations[Name]['headers']> &
  Part<'body', ApiOperations[Name]['body']>;

/** Sends a signed request; gives the answer's JSON. */
export type Send = (request: {
  readonly method: HttpRequest['method'];
  readonly pathWithQuery: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: object | undefined;
}) => Promise<unknown>;

const PAGE_LIMIT = 500;

/**
 * The REST API with the types of its OpenAPI document (contracts/src/api.generated.ts). Errors are
 * RemoteProblemErrors.
 */
export class ApiClient {
  readonly #send: Send;

  constructor(send: Send) {
    this.#send = send;
  }

  /** Calls an operation by its name. */
  async call<Name extends OperationName>(name: Name, given: Given<Name>): Promise<Answer<Name>> {
    return decode<Name>(await this.#call(name, given));
  }

  /** All items of a list, page by page. */
  async all<Name extends ListName>(name: Name, given: Given<Name>): Promise<readonly Item<Name>[]> {
    const items: Item<Name>[] = [];
    let cursor: string | null = null;
    do {
      const query: object = {
        ...Object(given).query,
        limit: PAGE_LIMIT,
        ...(cursor === null ? {} : { cursor }),
      };
      const page: Page<Item<Name>> = decodePage<Name>(
        await this.#call(name, Object.assign({}, given, { query })),
      );
      items.push(...page.items);
      cursor = page.nextCursor ?? null;
    } while (cursor !== null);
    return items;
  }

  #call(name: OperationName, given: unknown): Promise<unknown> {
    const { method, path } = API_ROUTES[name];
    const { path: named = {}, query = {}, headers = {}, body } = Object(given);
    return this.#send({ method, pathWithQuery: pathTo(path, named, query), headers, json: body });
  }
}

interface Page<Each> {
  readonly items: readonly Each[];
  readonly nextCursor?: string | null;
}
/** Operations that give a page, and what is on it. */
export type ListName = {
  [Name in OperationName]: Answer<Name> extends Page<unknown> ? Name : never;
}[OperationName];
type Item<Name extends ListName> = Answer<Name> extends Page<infer Each> ? Each : never;

/** The path of an operation with its parameters in place. Pure. */
export function pathTo(
  template: string,
  path: Readonly<Record<string, unknown>>,
  query: Readonly<Record<string, unknown>>,
): string {
  const filled = template.replace(/\{(\w+)\}/g, (_all, name: string) =>
    encodeURIComponent(String(path[name])),
  );
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) pairs.set(name, String(value));
  }
  return pairs.size === 0 ? filled : `${filled}?${pairs}`;
}

/** What the factory answers has the form that its own document says. */
function decode<Name extends OperationName>(value: unknown): Answer<Name> {
  return value as Answer<Name>;
}

function decodePage<Name extends ListName>(value: unknown): Page<Item<Name>> {
  return value as Page<Item<Name>>;
}
