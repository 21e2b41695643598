import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readJsonIfExists, writeFileAtomic } from '../files.ts';

/** What is remembered of an embedded server from start to start. */
export interface InstanceFile {
  readonly port: number;
  readonly password: string;
}

const FILE = 'instance.json';

/** The remembered port and password (made at the first start), kept with mode 0600. */
export async function loadInstanceFile(directory: string): Promise<InstanceFile> {
  const path = join(directory, FILE);
  const stored = await readJsonIfExists(path);
  if (stored !== undefined) return decodeInstanceFile(stored, path);
  const made = { port: await freePort(), password: randomBytes(24).toString('base64url') };
  await writeFileAtomic(path, `${JSON.stringify(made)}\n`);
  return made;
}

/** The same, with a port that is free now: the remembered one when it can be. */
export async function withUsablePort(
  directory: string,
  instance: InstanceFile,
): Promise<InstanceFile> {
  if (await isFree(instance.port)) return instance;
  const moved = { ...instance, port: await freePort() };
  await writeFileAtomic(join(directory, FILE), `${JSON.stringify(moved)}\n`);
  return moved;
}

function decodeInstanceFile(value: unknown, path: string): InstanceFile {
  if (typeof value === 'object' && value !== null && 'port' in value && 'password' in value) {
    const { port, password } = value;
    if (typeof port === 'number' && typeof password === 'string') return { port, password };
  }
  throw new Error(`${path} must hold a port and a password`);
}

async function isFree(port: number): Promise<boolean> {
  return tryPort(port).then(
    () => true,
    () => false,
  );
}

const freePort = (): Promise<number> => tryPort(0);

/** Binds a port on the loopback for a moment; gives its number. */
function tryPort(port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once('error', reject);
  server.listen({ host: '127.0.0.1', port }, () => {
    const address = server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    server.close(() => resolve(bound));
  });
  return promise;
}
