import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { SeedMount } from '../storage/port.ts';
import { mountFiles } from './seed-mounts.ts';

const shared: SeedMount = { tag: 'scratch', type: 'virtiofs', path: '/data', readOnly: false };

describe('what a guest is told to mount', () => {
  it('is nothing without volumes', () => {
    expect(mountFiles([])).toEqual([]);
  });

  it('is a line each, and a command each for cloud-init', () => {
    const readOnly: SeedMount = { tag: 'assets', type: '9p', path: '/a b', readOnly: true };
    const [lines, vendor] = mountFiles([shared, readOnly]).map(({ content }) => `${content}`);
    expect(lines).toBe('virtiofs scratch rw /data\n9p assets ro /a b\n');
    expect(vendor).toBe(
      `#cloud-config\nbootcmd:\n` +
        `- ["sh","-c","mkdir -p '/data' && ! mountpoint -q '/data' && mount -t virtiofs -o rw scratch '/data'"]\n` +
        `- ["sh","-c","mkdir -p '/a b' && ! mountpoint -q '/a b' && mount -t 9p -o trans=virtio,version=9p2000.L,ro assets '/a b'"]\n`,
    );
  });

  it.each(["/it's; touch /tmp/x", '/$(id)', '/a"b'])('takes the path %s for a name', (path) => {
    const [, vendor] = mountFiles([{ ...shared, type: 'disk', path }]).map(
      ({ content }) => `${content}`,
    );
    const command: string = JSON.parse(vendor?.split('\n- ')[1] ?? '')[2];
    const stubs = 'mkdir() { echo "$2"; }; mountpoint() { false; }; mount() { echo "$4"; };';
    const shown = execFileSync('sh', ['-c', `${stubs} ${command}`]).toString();
    expect(shown).toBe(`${path}\n${path}\n`);
  });
});
