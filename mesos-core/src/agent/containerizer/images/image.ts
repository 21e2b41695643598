/** What an image says about how its containers run. */
export interface ImageConfig {
  readonly environment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly directory: string | undefined;
}

/** An image as directories of the host. */
export interface ProvidedImage {
  /** Root file systems to be laid over each other, the lowest first. */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
}

/** The configuration of a root file system that says nothing. */
export const EMPTY_CONFIG: ImageConfig = {
  environment: {},
  entrypoint: [],
  command: [],
  directory: undefined,
};

/** An image can't be had, or is not what it should be. */
export class ImageError extends Error {
  readonly code = 'MESOS_ERR_IMAGE';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImageError';
  }
}

/**
 * The part of an OCI image configuration that matters here (image-spec, config.md). Pure.
 * @throws ImageError when it is no JSON.
 */
export function parseImageConfig(text: string): ImageConfig {
  const { config = {} } = parseJson<{ config?: RawConfig }>(text, 'the configuration of the image');
  const variables = (config.Env ?? []).map((line): [string, string] => {
    const at = line.indexOf('=');
    return at < 0 ? [line, ''] : [line.slice(0, at), line.slice(at + 1)];
  });
  return {
    environment: Object.fromEntries(variables),
    entrypoint: config.Entrypoint ?? [],
    command: config.Cmd ?? [],
    directory: config.WorkingDir || undefined,
  };
}

interface RawConfig {
  readonly Env?: readonly string[] | null;
  readonly Entrypoint?: readonly string[] | null;
  readonly Cmd?: readonly string[] | null;
  readonly WorkingDir?: string | null;
}

/** @throws ImageError when the text is no JSON object. */
export function parseJson<T extends object>(text: string, what: string): T {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as T;
  } catch {
    // Said below.
  }
  throw new ImageError(`${what} is not a JSON object`);
}
