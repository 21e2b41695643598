import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canTraverse, grantTraversal, parseAcl, revokeTraversal } from './traversal.ts';

const isRoot = process.getuid?.() === 0;

describe('canTraverse', () => {
  const acl = (...lines: string[]) =>
    parseAcl(['# file: /x', '# owner: 10', '# group: 20', ...lines].join('\n'));
  const user = (uid: number, ...gids: number[]) => ({ uid, gids });

  it('follows the access check of acl(5)', () => {
    const plain = acl('user::rwx', 'group::r-x', 'other::---');
    expect(canTraverse(plain, user(10))).toBe(true);
    expect(canTraverse(plain, user(1, 20))).toBe(true);
    expect(canTraverse(plain, user(1, 21))).toBe(false);
    expect(canTraverse(plain, user(0))).toBe(true);
    expect(canTraverse(acl('user::rw-', 'group::---', 'other::--x'), user(10))).toBe(false);
    // A group that matches decides, even when others could pass.
    expect(canTraverse(acl('user::rwx', 'group::---', 'other::--x'), user(1, 20))).toBe(false);
  });

  it('looks at named users and groups, through the mask', () => {
    const lines = ['user::rwx', 'user:1:--x', 'group::---', 'group:30:--x', 'other::---'];
    const open = acl(...lines, 'mask::--x');
    expect(canTraverse(open, user(1))).toBe(true);
    expect(canTraverse(open, user(2, 20, 30))).toBe(true);
    expect(canTraverse(open, user(2, 20))).toBe(false);
    expect(canTraverse(acl(...lines, 'mask::r--'), user(1))).toBe(false);
  });
});

describe.runIf(isRoot)('grantTraversal', () => {
  it('opens exactly the closed directories, once, and closes them again', async () => {
    const root = mkdtempSync(join(tmpdir(), 'traversal-'));
    const [open, inner] = [join(root, 'open'), join(root, 'open', 'inner')];
    mkdirSync(inner, { recursive: true });
    chmodSync(root, 0o700);
    chmodSync(open, 0o711);
    chmodSync(inner, 0o700);
    const enter = () => execFileSync('setpriv', asNobody('test', '-x', inner, '-a', '-d', inner));
    expect(enter).toThrow();
    const grant = await grantTraversal({ path: inner, user: 'nobody' });
    expect(grant).toEqual({ user: 'nobody', directories: [root, inner], granted: true });
    enter();
    const second = await grantTraversal({ path: inner, user: 'nobody' });
    expect(second.directories).toEqual([]);
    await revokeTraversal(grant);
    expect(enter).toThrow();
    rmSync(root, { recursive: true });
    await revokeTraversal(grant);
  });
});

function asNobody(...command: string[]): string[] {
  return ['--reuid=nobody', '--regid=nogroup', '--clear-groups', ...command];
}
