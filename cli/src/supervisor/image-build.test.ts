import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildableImages, buildImage, ImageBuildError } from './image-build.ts';

let root: string;
let layout: { root: string; images: string; logs: string };

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'image-build-'));
  layout = { root, images: join(root, 'data/images'), logs: join(root, 'data/logs') };
  await addImage('good', 'echo "good: half of it"; echo noise; echo an image >"$1/good.qcow2"');
  await addImage('bad', 'echo "what went wrong" >&2; exit 3');
  await mkdir(join(root, 'images/no-image'));
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function addImage(name: string, script: string): Promise<void> {
  const folder = join(root, 'images', name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'build.sh'), `#!/bin/sh\n${script}\n`);
  await chmod(join(folder, 'build.sh'), 0o755);
}

describe('the build of an image', () => {
  it('says how far it is, and keeps a log', async () => {
    const steps: string[] = [];
    const log = await buildImage(layout, 'good', (text) => steps.push(text));
    expect(steps).toEqual(['building good from Debian packages', 'half of it']);
    expect(await readFile(join(layout.images, 'good.qcow2'), 'utf8')).toBe('an image\n');
    expect(await readFile(log, 'utf8')).toContain('noise');
  });

  it('that fails says why', async () => {
    const build = buildImage(layout, 'bad', () => undefined);
    await expect(build).rejects.toThrow(ImageBuildError);
    await expect(build).rejects.toThrow(/status 3[\s\S]*what went wrong/);
  });

  it.each(['unknown', '../bad', 'no-image'])(
    'of %s is refused with what there is',
    async (name) => {
      const build = buildImage(layout, name, () => undefined);
      await expect(build).rejects.toThrow(/there are bad, good/);
    },
  );

  it('is possible for each folder with a build.sh', () => {
    expect(buildableImages(root)).toEqual(['bad', 'good']);
  });
});
