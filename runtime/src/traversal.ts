import { execFile } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 10_000;

/** Directories that must let a user pass, and what was done about it. */
export interface TraversalGrant {
  readonly user: string;
  /** The directories above (and including) the path that `user` could not pass, outermost first. */
  readonly directories: readonly string[];
  /** Whether each of them got an ACL entry; `false` when this process is not root. */
  readonly granted: boolean;
}

/**
 * Lets `user` reach `path` (a directory): finds the directories on the way that it can't pass, and,
 * as root, adds the ACL entry `u:<user>:--x` to just these. A checkout may lie below a home with
 * mode 0700, and QEMU and PostgreSQL run as users of their own. Undo it by {@link revokeTraversal}.
 */
export async function grantTraversal(options: {
  readonly path: string;
  readonly user: string;
}): Promise<TraversalGrant> {
  const { user } = options;
  const account = await lookUpAccount(user);
  const directories: string[] = [];
  for (const directory of ancestors(await realpath(options.path))) {
    const acl = parseAcl((await run('getfacl', aclArguments(directory), limits)).stdout);
    if (!canTraverse(acl, account)) directories.push(directory);
  }
  const granted = process.getuid?.() === 0;
  if (granted && directories.length > 0) {
    await run('setfacl', ['-m', `u:${user}:--x`, '--', ...directories], limits);
  }
  return { user, directories, granted };
}

/** Takes back what {@link grantTraversal} gave. Directories that are gone are no error. */
export async function revokeTraversal(grant: TraversalGrant): Promise<void> {
  if (!grant.granted) return;
  for (const directory of [...grant.directories].reverse()) {
    if (await exists(directory)) {
      await run('setfacl', ['-x', `u:${grant.user}`, '--', directory], limits);
    }
  }
}

const limits = { timeout: COMMAND_TIMEOUT_MS };

async function exists(path: string): Promise<boolean> {
  return realpath(path).then(
    () => true,
    () => false,
  );
}

/** `/`, `/a`, `/a/b` for `/a/b`. */
function ancestors(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [...ancestors(parent), path];
}

// -n: numbers, so that names need no look-up; -p: keeps the leading slash; -E: no effective rights.
const aclArguments = (path: string): readonly string[] => ['-n', '-p', '-E', '--', path];

/** The numbers that decide access. */
export interface Account {
  readonly uid: number;
  readonly gids: readonly number[];
}

async function lookUpAccount(user: string): Promise<Account> {
  const uid = await run('id', ['-u', '--', user], limits);
  const gids = await run('id', ['-G', '--', user], limits);
  return { uid: Number(uid.stdout), gids: gids.stdout.trim().split(/\s+/).map(Number) };
}

const ACL_KINDS = ['user', 'group', 'mask', 'other'] as const;

/** Who may enter a directory (its x bits), from its mode and ACL. */
export interface DirectoryAcl {
  readonly owner: number;
  readonly group: number;
  readonly entries: readonly AclEntry[];
}

/** A line of getfacl: `user:1000:--x`; without `id` the entry of owner, group or others. */
export interface AclEntry {
  readonly kind: (typeof ACL_KINDS)[number];
  readonly id: number | undefined;
  readonly execute: boolean;
}

/** Reads the output of `getfacl -n -E` for one directory. */
export function parseAcl(text: string): DirectoryAcl {
  const number = (name: string): number =>
    Number(new RegExp(`^# ${name}: (\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const lines = text.matchAll(/^(user|group|mask|other):(\d*):[r-][w-](.)/gm);
  const entries = Array.from(lines, ([, kind, id, bit]) => ({
    kind: ACL_KINDS.find((each) => each === kind) ?? 'other',
    id: id === '' ? undefined : Number(id),
    execute: bit === 'x',
  }));
  return { owner: number('owner'), group: number('group'), entries };
}

/** Whether `account` may pass the directory: the algorithm of acl(5), "Access check algorithm". */
export function canTraverse(acl: DirectoryAcl, account: Account): boolean {
  if (account.uid === 0) return true;
  const find = (kind: AclEntry['kind'], id?: number): AclEntry | undefined =>
    acl.entries.find((entry) => entry.kind === kind && entry.id === id);
  if (account.uid === acl.owner) return find('user')?.execute ?? false;
  const mask = find('mask')?.execute ?? true;
  const named = find('user', account.uid);
  if (named !== undefined) return named.execute && mask;
  const groups = acl.entries.filter(
    (entry) => entry.kind === 'group' && account.gids.includes(entry.id ?? acl.group),
  );
  if (groups.length > 0) return groups.some((entry) => entry.execute) && mask;
  return find('other')?.execute ?? false;
}
