import { ImageError } from './image.ts';

/** Where an image is, taken apart. */
export interface ImageReference {
  /** Host and port of the registry; `undefined`: the agent's own. */
  readonly registry: string | undefined;
  readonly repository: string;
  readonly tag: string;
  /** `sha256:…`; wins over the tag. */
  readonly digest: string | undefined;
}

const COMPONENT = /^[a-z0-9]+([._-]+[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;

/** A digest as registries give it; no other kind is asked for. */
export const DIGEST = /^sha256:[a-f0-9]{64}$/;

/**
 * The name of an image as Docker writes it: `[host[:port]/]path[:tag][@digest]`. Pure.
 * @throws ImageError when it is none.
 */
export function parseReference(name: string): ImageReference {
  const [rest = '', digest] = name.split('@', 2);
  const slash = rest.indexOf('/');
  const first = rest.slice(0, Math.max(0, slash));
  // As Docker: a first part is a host when it could be no path, or is localhost.
  const isHost = /[.:]/.test(first) || first === 'localhost';
  const path = isHost ? rest.slice(slash + 1) : rest;
  const colon = path.lastIndexOf(':');
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? 'latest' : path.slice(colon + 1);
  const isValid =
    repository.split('/').every((part) => COMPONENT.test(part)) &&
    TAG.test(tag) &&
    (digest === undefined || DIGEST.test(digest));
  if (!isValid) throw new ImageError(`${JSON.stringify(name)} is not the name of an image`);
  return { registry: isHost ? first : undefined, repository, tag, digest };
}
