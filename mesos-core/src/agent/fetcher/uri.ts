import { basename, isAbsolute, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandInfoURI } from '../../protocol/index.ts';
import { FetchError } from './fetch-error.ts';

/** Where the bytes of a URI come from. */
export type FetchSource =
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string };

/** A URI, understood. */
export interface FetchItem {
  /** As the framework wrote it; for messages. */
  readonly uri: string;
  readonly source: FetchSource;
  /** Relative to the sandbox; stays in it. */
  readonly outputFile: string;
  readonly isExecutable: boolean;
  readonly archive: ArchiveKind | undefined;
  readonly isCached: boolean;
  /** In hexadecimal, lower case. */
  readonly sha256: string | undefined;
}

/** How an archive is unpacked. */
export type ArchiveKind = 'tar' | 'gzip' | 'zip';

/** The endings that Mesos' fetcher knows (src/launcher/fetcher.cpp, extract). */
const ARCHIVE_ENDINGS: readonly (readonly [ending: string, kind: ArchiveKind])[] = [
  ...['.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tbz2', '.tar.xz', '.txz'].map(
    (ending): readonly [string, ArchiveKind] => [ending, 'tar'],
  ),
  ['.gz', 'gzip'],
  ['.zip', 'zip'],
];

const SHA256_FRAGMENT = /#sha256=([0-9a-f]{64})$/i;

/**
 * What is to be done for a URI. Beyond Mesos, `#sha256=<hex>` at its end is the checksum that the
 * file must have. Pure.
 * @param frameworksHome where relative paths start; without it they are refused.
 * @throws FetchError when the URI is of an unknown kind, or leads out of the sandbox.
 */
export function readUri(uri: CommandInfoURI, frameworksHome: string | undefined): FetchItem {
  const sha256 = SHA256_FRAGMENT.exec(uri.value)?.[1]?.toLowerCase();
  const address = uri.value.replace(SHA256_FRAGMENT, '').trim();
  const source = sourceOf(address, frameworksHome);
  const outputFile = outputFileOf(uri.output_file, address);
  const isExecutable = uri.executable ?? false;
  return {
    uri: uri.value,
    source,
    outputFile,
    isExecutable,
    archive: isExecutable || uri.extract === false ? undefined : archiveKindOf(outputFile),
    isCached: uri.cache ?? false,
    sha256,
  };
}

function sourceOf(address: string, frameworksHome: string | undefined): FetchSource {
  if (address === '') throw new FetchError('The URI is empty');
  if (/^https?:\/\//i.test(address)) {
    if (URL.canParse(address)) return { kind: 'http', url: address };
    throw new FetchError(`'${address}' is not a URL`);
  }
  if (/^file:\/\//i.test(address)) return { kind: 'file', path: localPath(address) };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1];
  if (scheme !== undefined) throw new FetchError(`URIs of kind ${scheme}:// are not supported`);
  if (isAbsolute(address)) return { kind: 'file', path: address };
  if (frameworksHome === undefined || frameworksHome === '') {
    throw new FetchError(
      `A relative path was passed for the resource '${address}' but the agent flag ` +
        'frameworks_home is not set',
    );
  }
  return { kind: 'file', path: join(frameworksHome, address) };
}

function localPath(address: string): string {
  try {
    return fileURLToPath(address);
  } catch (cause) {
    throw new FetchError(`'${address}' does not name a file of this host`, { cause });
  }
}

function outputFileOf(wanted: string | undefined, address: string): string {
  const name = wanted ?? basename(address.replace(/^[a-z]+:\/\/[^/]*/i, ''));
  const path = normalize(name);
  const isOutside = isAbsolute(path) || path.split('/').includes('..');
  if (name === '' || path === '.' || path.endsWith('/') || isOutside || name.includes('\0')) {
    const what = wanted === undefined ? `'${address}' names no file` : `'${wanted}' as output_file`;
    throw new FetchError(`${what}: it must be a file in the sandbox`);
  }
  return path;
}

/** How a file of this name is unpacked; `undefined` for what is no archive. */
export function archiveKindOf(name: string): ArchiveKind | undefined {
  return ARCHIVE_ENDINGS.find(([ending]) => name.endsWith(ending) && name !== ending)?.[1];
}
