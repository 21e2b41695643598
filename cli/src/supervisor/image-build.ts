import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Layout } from './layout.ts';

/** So much of a failed build's output is shown. */
const SHOWN_LINES = 15;

/** Names of the images that this checkout can build: folders in images/ with a build.sh. */
export function buildableImages(root: string): readonly string[] {
  const folder = join(root, 'images');
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'build.sh')));
}

/** There is no such image, or its build failed. */
export class ImageBuildError extends Error {
  readonly code = 'FACTORY_ERR_IMAGE_BUILD';
  constructor(message: string) {
    super(message);
    this.name = 'ImageBuildError';
  }
}

/**
 * Builds a base image into the factory's images; the one before is replaced only by a whole one.
 * @param onProgress gets what the build says of itself.
 * @returns where its log is.
 * @throws ImageBuildError with the end of the build's output.
 */
export async function buildImage(
  layout: Pick<Layout, 'root' | 'images' | 'logs'>,
  name: string,
  onProgress: (text: string) => void,
): Promise<string> {
  const names = buildableImages(layout.root);
  if (!names.includes(name)) {
    throw new ImageBuildError(`There is no image ${name} to build; there are ${names.join(', ')}`);
  }
  mkdirSync(layout.images, { recursive: true });
  mkdirSync(layout.logs, { recursive: true });
  const logFile = join(layout.logs, `image-${name}.log`);
  const log = createWriteStream(logFile, { mode: 0o600 });
  onProgress(`building ${name} from Debian packages`);
  const child = spawn(join(layout.root, 'images', name, 'build.sh'), [layout.images], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${line}\n`);
      last.push(line);
      if (last.length > SHOWN_LINES) last.shift();
      const said = line.startsWith(`${name}: `) ? line.slice(name.length + 2) : undefined;
      if (said !== undefined) onProgress(said);
    });
  }
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  child.once('error', reject);
  const status = await promise;
  await new Promise<void>((done) => log.end(done));
  if (status === 0) return logFile;
  const why = `The build of ${name} failed (status ${status}). The end of ${logFile}:`;
  throw new ImageBuildError([why, ...last].join('\n'));
}
