import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const run = promisify(execFile);

/** Debian's busybox-static: one program that is a whole user land. */
const BUSYBOX = '/bin/busybox';

/** A root file system of busybox alone. */
export async function makeBusyboxRootfs(directory: string): Promise<void> {
  await mkdir(join(directory, 'bin'), { recursive: true });
  await copyFile(BUSYBOX, join(directory, 'bin', 'busybox'));
  for (const name of ['sh', 'cat', 'ls', 'echo', 'sleep', 'id', 'ps', 'env', 'hostname', 'touch']) {
    await symlink('busybox', join(directory, 'bin', name));
  }
  await mkdir(join(directory, 'etc'));
  await writeFile(join(directory, 'etc', 'os-release'), 'NAME=busybox\n');
}

/** A tar archive of what is in a directory. */
export async function tarOf(directory: string, file: string): Promise<void> {
  await run('tar', ['-c', '-f', file, '-C', directory, '.']);
}

/** Blobs of an image by digest, and the digest of its manifest. */
export interface FakeImage {
  readonly blobs: ReadonlyMap<string, Buffer>;
  readonly manifest: string;
  readonly index: string;
}

/** Makes an OCI image of tar files, the lowest first. */
export async function makeImage(
  layers: readonly string[],
  config: Readonly<Record<string, unknown>>,
): Promise<FakeImage> {
  const blobs = new Map<string, Buffer>();
  const add = (bytes: Buffer, mediaType: string) => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  const descriptors = [];
  for (const file of layers) descriptors.push(add(gzipSync(await readFile(file)), layerType));
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const manifest = add(
    json({
      schemaVersion: 2,
      config: add(json({ config }), 'application/vnd.oci.image.config.v1+json'),
      layers: descriptors,
    }),
    'application/vnd.oci.image.manifest.v1+json',
  );
  const other = { ...manifest, platform: { os: 'linux', architecture: 'sparc' } };
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const own = { ...manifest, platform: { os: 'linux', architecture } };
  const index = add(
    json({ schemaVersion: 2, manifests: [other, own] }),
    'application/vnd.oci.image.index.v1+json',
  );
  return { blobs, manifest: manifest.digest, index: index.digest };
}

/** Writes an image as an OCI layout. */
export async function writeLayout(image: FakeImage, directory: string): Promise<void> {
  await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
  for (const [digest, bytes] of image.blobs) {
    await writeFile(join(directory, 'blobs', ...digest.split(':')), bytes);
  }
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const index = image.blobs.get(image.index);
  if (index !== undefined) await writeFile(join(directory, 'index.json'), index);
}
