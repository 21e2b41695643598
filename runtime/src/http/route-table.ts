/** Knows which methods a path is served with, to tell 405 from 404. */
export interface RouteTable {
  add(methods: readonly string[], pattern: string): void;
  /** The methods of all routes that match `path`, sorted; empty when there is none. */
  methodsFor(path: string): readonly string[];
}

/** An empty table. Patterns are those of find-my-way, fastify's router. */
export function createRouteTable(): RouteTable {
  const routes: { readonly expression: RegExp; readonly methods: readonly string[] }[] = [];
  return {
    add(methods, pattern) {
      routes.push({ expression: patternToRegExp(pattern), methods });
    },
    methodsFor(path) {
      const matching = routes.filter((route) => route.expression.test(path));
      return [...new Set(matching.flatMap((route) => route.methods))].toSorted();
    },
  };
}

/** `::` a colon, `:name` a part (with its own expression in brackets), `*` the rest. */
const TOKEN = /::|:(\w+)(\([^)]*\))?\??|\*|[^:*]+|:/g;

/** The regular expression for a route pattern such as `/v1/vms/:id::stop`. */
export function patternToRegExp(pattern: string): RegExp {
  const source = pattern.replace(TOKEN, (token, name: string | undefined, own?: string) => {
    if (token === '::') return ':';
    if (token === '*') return '.*';
    if (name !== undefined) return own ?? '([^/]+?)';
    return token.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`);
}
