import { MesosHttpError } from '../http/mesos-http.ts';
import type { MasterResponse } from '../protocol/index.ts';
import { checkFileAccess, type FilesApi } from './endpoints.ts';

/** Both APIs have these calls, and answer them in the same form. */
type Answer<T extends MasterResponse['type']> = Extract<MasterResponse, { type: T }>;

/** LIST_FILES of an operator API. @throws MesosHttpError 403, 404, 400. */
export async function listFiles(
  api: FilesApi,
  { path }: { readonly path: string },
  principal: string | undefined,
): Promise<Answer<'LIST_FILES'>> {
  checkFileAccess(api, principal, path);
  return { type: 'LIST_FILES', list_files: { file_infos: await api.files.list(path) } };
}

/** READ_FILE of an operator API. @throws MesosHttpError 403, 404, 400. */
export async function readFile(
  api: FilesApi,
  call: { readonly path: string; readonly offset: number; readonly length?: number | undefined },
  principal: string | undefined,
): Promise<Answer<'READ_FILE'>> {
  checkFileAccess(api, principal, call.path);
  if (call.offset < 0) throw new MesosHttpError(400, `Negative offset provided: ${call.offset}`);
  const { data, sizeBytes } = await api.files.read(call.path, call.offset, call.length);
  return { type: 'READ_FILE', read_file: { size: sizeBytes, data: data.toString('base64') } };
}
