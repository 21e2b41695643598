/** What the page shows of an operation. */
interface Shown {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: unknown;
    readonly description?: string;
  }[];
  readonly requestBody?: unknown;
  readonly responses?: Readonly<Record<string, unknown>>;
}
/** As much of an OpenAPI document as the page shows. */
export interface ShownDocument {
  readonly info?: { readonly title?: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:62rem;padding:1rem;color:#1b1f24}
h2{margin-top:2rem;text-transform:capitalize}code,pre{font:13px/1.45 ui-monospace,monospace}
details{border:1px solid #d0d7de;border-radius:6px;margin:.4rem 0;padding:.3rem .7rem}
summary{cursor:pointer}b{display:inline-block;min-width:4.2rem}
pre{background:#f6f8fa;overflow:auto;padding:.6rem;max-height:24rem}td{padding:.1rem .8rem .1rem 0}
nav a{margin-right:.8rem;text-transform:capitalize}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}pre{background:#161b22}
a{color:#58a6ff}details{border-color:#30363d}}`;

/**
 * The API's documentation as one HTML page without scripts and without anything from elsewhere, so
 * that it can be read in a datacenter that reaches no other. Pure.
 */
export function docsPage(document: ShownDocument): string {
  const byTag = new Map<string, string[]>();
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, value] of Object.entries(methods)) {
      const operation: Shown = Object(value);
      const tag = operation.tags?.[0] ?? 'other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), showOperation(method, path, operation)]);
    }
  }
  const tags = [...byTag.keys()].sort();
  const links = tags.map((tag) => `<a href="#${escaped(tag)}">${escaped(tag)}</a>`);
  const parts = tags.map(
    (tag) => `<h2 id="${escaped(tag)}">${escaped(tag)}</h2>${byTag.get(tag)?.join('')}`,
  );
  const { title = '', description = '' } = document.info ?? {};
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width,initial-scale=1">',
    `<title>${escaped(title)} API</title><style>${STYLE}</style></head><body>`,
    `<h1>${escaped(title)}</h1><p>${escaped(description)} `,
    'For programs: <a href="/openapi.json">openapi.json</a>.</p>',
    `<nav>${links.join('')}</nav>${parts.join('')}</body></html>`,
  ].join('\n');
}

function showOperation(method: string, path: string, operation: Shown): string {
  const { operationId = '', summary = '', description = '', parameters = [] } = operation;
  const rows = parameters.map(
    ({ name, in: place, required = false, schema, description: text }) => {
      const need = required ? 'required' : '';
      const cells = [name, place, need, JSON.stringify(schema), text ?? ''].map(escaped);
      return `<tr>${cells.map((cell) => `<td><code>${cell}</code></td>`).join('')}</tr>`;
    },
  );
  return [
    `<details id="${escaped(operationId)}"><summary><b>${escaped(method.toUpperCase())}</b>`,
    ` <code>${escaped(path)}</code> ${escaped(summary)}</summary>`,
    description === '' ? '' : `<p>${escaped(description)}</p>`,
    rows.length === 0 ? '' : `<table>${rows.join('')}</table>`,
    operation.requestBody === undefined ? '' : `<h4>Body</h4>${json(operation.requestBody)}`,
    `<h4>Answers</h4>${json(operation.responses ?? {})}</details>`,
  ].join('');
}

function json(value: unknown): string {
  return `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
