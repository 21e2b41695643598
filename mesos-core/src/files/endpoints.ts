import { constants } from 'node:fs';
import type { Clock } from '@factory/runtime';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { checkEndpointAccess } from '../http/endpoint-access.ts';
import { queryOf, sendJson } from '../http/json-answer.ts';
import { MesosHttpError } from '../http/mesos-http.ts';
import type { FileInfo } from '../protocol/index.ts';
import type { Authorizer } from '../security/index.ts';
import type { AttachedFiles, VirtualFiles } from './virtual-files.ts';

/** What is needed to show files. */
export interface FilesApi {
  readonly clock: Clock;
  readonly files: VirtualFiles;
  readonly authorizer: Authorizer;
  /** Whether the caller may look into these. */
  readonly allows: (principal: string | undefined, attached: AttachedFiles) => boolean;
}

/** Mesos' `/files/*`, below each of the prefixes, with and without `.json`. */
export function addFilesRoutes(
  app: FastifyInstance,
  api: FilesApi,
  prefixes: readonly string[] = [''],
): void {
  const add = (name: string, answer: Answer): void => {
    for (const prefix of prefixes) {
      for (const url of [`${prefix}/files/${name}`, `${prefix}/files/${name}.json`]) {
        app.get(url, async (request, reply) => answer(request, reply));
      }
    }
  };
  add('browse', (request, reply) => browse(api, request, reply));
  add('read', (request, reply) => read(api, request, reply));
  add('download', (request, reply) => download(api, request, reply));
  add('debug', async (request, reply) => {
    const path = request.routeOptions.url?.endsWith('.json') ? '/files/debug.json' : '/files/debug';
    checkEndpointAccess(api.authorizer, path, request.caller?.value);
    const visible = api.files.attached.filter((each) => api.allows(request.caller?.value, each));
    const paths = Object.fromEntries(visible.map(({ path, real }) => [path, real]));
    return sendJson(request, reply, api.clock, paths);
  });
}

type Answer = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** @throws MesosHttpError 403. */
export function checkFileAccess(api: FilesApi, principal: string | undefined, path: string): void {
  const attached = api.files.find(path);
  if (attached !== undefined && !api.allows(principal, attached)) {
    throw new MesosHttpError(403, '403 Forbidden.');
  }
}

async function browse(api: FilesApi, request: FastifyRequest, reply: FastifyReply) {
  const path = pathIn(api, request);
  const infos = await api.files.list(path);
  return sendJson(request, reply, api.clock, infos.map(olderForm));
}

async function read(api: FilesApi, request: FastifyRequest, reply: FastifyReply) {
  const path = pathIn(api, request);
  const query = queryOf(request);
  const offset = numberIn(query, 'offset');
  const length = numberIn(query, 'length');
  if (offset !== undefined && offset < -1) {
    throw new MesosHttpError(400, `Negative offset provided: ${offset}.`);
  }
  if (length !== undefined && length < -1) {
    throw new MesosHttpError(400, `Negative length provided: ${length}.`);
  }
  // Without an offset: where the end is, for those who want to follow the file.
  const isEndWanted = offset === undefined || offset === -1;
  const limit = length === -1 ? undefined : length;
  const part = await api.files.read(path, isEndWanted ? 0 : offset, isEndWanted ? 0 : limit);
  return sendJson(request, reply, api.clock, {
    data: part.data.toString('utf8'),
    offset: isEndWanted ? part.sizeBytes : offset,
  });
}

async function download(api: FilesApi, request: FastifyRequest, reply: FastifyReply) {
  const path = pathIn(api, request);
  const stream = await api.files.stream(path);
  const name = (path.split('/').at(-1) ?? 'file').replace(/[^\w.-]/g, '_');
  return reply
    .header('content-type', 'application/octet-stream')
    .header('content-disposition', `attachment; filename=${name}`)
    .send(stream);
}

function pathIn(api: FilesApi, request: FastifyRequest): string {
  const path = queryOf(request).get('path');
  if (path === null || path === '') {
    throw new MesosHttpError(400, "Expecting 'path=value' in query.\n");
  }
  checkFileAccess(api, request.caller?.value, path);
  return path;
}

function numberIn(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  throw new MesosHttpError(
    400,
    `Failed to parse ${name}: Failed to convert '${text}' to number.\n`,
  );
}

function olderForm({ path, nlink, size, mtime, mode = 0, uid, gid }: FileInfo) {
  const mtimeSeconds = (mtime?.nanoseconds ?? 0) / 1e9;
  return { gid, mode: modeText(mode), mtime: mtimeSeconds, nlink, path, size, uid };
}

const KINDS: ReadonlyMap<number, string> = new Map([
  [constants.S_IFDIR, 'd'],
  [constants.S_IFLNK, 'l'],
  [constants.S_IFBLK, 'b'],
  [constants.S_IFCHR, 'c'],
  [constants.S_IFIFO, 'p'],
  [constants.S_IFSOCK, 's'],
]);

/** As `ls -l` shows it: `-rw-r--r--`. */
function modeText(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  return (KINDS.get(mode & constants.S_IFMT) ?? '-') + bits.join('');
}
