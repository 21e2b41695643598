import type { JsonSchema } from './values.ts';

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: JsonSchema;
}

/** One operation of the OpenAPI document. */
export interface Operation {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/v1/vms/{id}:start` */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: JsonSchema | undefined;
  /** By media type, where the body is not JSON. */
  readonly bodyType: string | undefined;
  /** The JSON of a success. */
  readonly answer: JsonSchema | undefined;
}

interface OpenApiOperation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: WithContent;
  readonly responses?: Readonly<Record<string, WithContent>>;
}
interface WithContent {
  readonly content?: Readonly<Record<string, { readonly schema?: JsonSchema }>>;
}
export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
}

/** All operations of the document, in its order. */
export function operationsOf(document: OpenApiDocument): readonly Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const content = Object.entries(operation.requestBody?.content ?? {})[0];
      const good = Object.entries(operation.responses ?? {}).find(([code]) => /^2/.test(code));
      return {
        operationId: operation.operationId,
        method: methodOf(method),
        path,
        parameters: operation.parameters ?? [],
        body: content?.[1].schema,
        bodyType: content?.[0],
        answer: good?.[1].content?.['application/json']?.schema,
      };
    }),
  );
}

function methodOf(text: string): Operation['method'] {
  const method = text.toUpperCase();
  switch (method) {
    case 'GET':
    case 'POST':
    case 'PUT':
    case 'PATCH':
    case 'DELETE':
      return method;
    default:
      throw new Error(`the document has a method ${method}`);
  }
}
