/**
 * Where a screen of a running domain is served. libvirt can also pass a socket to it
 * (virDomainOpenGraphicsFD), but as a file descriptor, which Node can't receive; so a domain's
 * screen belongs on a unix socket (`<listen type='socket'/>`), which `node:net` connects to.
 */
export type GraphicsAddress =
  | { readonly type: string; readonly kind: 'socket'; readonly path: string }
  | { readonly type: string; readonly kind: 'tcp'; readonly host: string; readonly port: number };

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&apos;': "'",
  '&quot;': '"',
  '&amp;': '&',
};

/** An attribute of a start tag as libvirt writes it: in single quotes. */
function attributeOf(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}='([^']*)'`).exec(tag)?.[1];
  return value?.replace(/&(lt|gt|apos|quot|amp);/g, (entity) => ENTITIES[entity] ?? entity);
}

/** The screens in a domain's live XML, in its order; one that is not served is left out. */
export function graphicsOf(xml: string): readonly GraphicsAddress[] {
  return [...xml.matchAll(/<graphics\s[^>]*>/g)].flatMap(([tag]): readonly GraphicsAddress[] => {
    const type = attributeOf(tag, 'type') ?? '';
    const path = attributeOf(tag, 'socket');
    if (path !== undefined) return [{ type, kind: 'socket', path }];
    const port = Number(attributeOf(tag, 'port') ?? -1);
    const host = attributeOf(tag, 'listen');
    return port > 0 && host !== undefined ? [{ type, kind: 'tcp', host, port }] : [];
  });
}
