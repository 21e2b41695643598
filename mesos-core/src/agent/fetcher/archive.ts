import { isAbsolute } from 'node:path';
import { FetchError } from './fetch-error.ts';
import { type Owner, runTool } from './tools.ts';
import type { ArchiveKind } from './uri.ts';

/** What {@link extractArchive} needs. */
export interface ExtractOptions {
  readonly timeoutMs: number;
  readonly owner: Owner | undefined;
}

/**
 * Unpacks an archive into a directory, by the system's tools. Nothing is unpacked when a name in it
 * leads out of the directory (symbolic links that would do so are the tools' business: GNU tar and
 * unzip make them last).
 * @throws FetchError when it can't be unpacked.
 */
export async function extractArchive(
  path: string,
  kind: ArchiveKind,
  directory: string,
  options: ExtractOptions,
): Promise<void> {
  switch (kind) {
    case 'tar': {
      refuseTraversal(path, await runTool('tar', ['-tf', path], options));
      const flags = ['--no-same-owner', '--no-overwrite-dir', '-C', directory, '-xf', path];
      await runTool('tar', flags, options);
      return;
    }
    case 'zip':
      refuseTraversal(path, await runTool('unzip', ['-Z1', path], options));
      await runTool('unzip', ['-o', '-q', '-d', directory, path], options);
      return;
    case 'gzip':
      await runTool('gzip', ['-d', '-k', '-f', path], options);
  }
}

function refuseTraversal(path: string, listing: string): void {
  const outside = listing.split('\n').find(leadsOut);
  if (outside === undefined) return;
  throw new FetchError(`${path} holds '${outside}', which leads out of the sandbox`);
}

/** Whether a name in an archive leads out of the directory that it is unpacked into. */
export function leadsOut(name: string): boolean {
  return isAbsolute(name) || name.split('/').includes('..');
}
