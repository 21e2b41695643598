import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Seed } from '../storage/port.ts';
import { isoImage } from './iso-image.ts';
import { seedImage } from './seed.ts';

const seed: Seed = {
  ...{ instanceId: 'vm_1', hostname: 'render-1', sshPublicKeys: ['ssh-ed25519 AAAA a@b'] },
  userData: '#cloud-config\npackages: [a]\n',
};

const SECTOR = 2048;

interface Entry {
  readonly name: string;
  readonly sector: number;
  readonly bytes: number;
  readonly isDirectory: boolean;
}

/** A directory's entries, without itself and its parent, as a reader of ISO 9660 finds them. */
function entriesAt(image: Buffer, sector: number, isJoliet: boolean): readonly Entry[] {
  const found: Entry[] = [];
  let at = sector * SECTOR;
  while (image.readUInt8(at) > 0) {
    const raw = Buffer.from(image.subarray(at + 33, at + 33 + image.readUInt8(at + 32)));
    found.push({
      name: isJoliet && raw.length > 1 ? raw.swap16().toString('utf16le') : raw.toString('latin1'),
      sector: image.readUInt32LE(at + 2),
      bytes: image.readUInt32LE(at + 10),
      isDirectory: image.readUInt8(at + 25) === 2,
    });
    at += image.readUInt8(at);
  }
  const [itself, parent, ...rest] = found;
  expect(itself).toMatchObject({ name: '\0', sector });
  expect(parent).toMatchObject({ name: '\u0001', isDirectory: true });
  return rest;
}

/** All files of a tree by their paths. */
function filesOf(bytes: Uint8Array, isJoliet: boolean): Readonly<Record<string, string>> {
  const image = Buffer.from(bytes);
  const root = image.readUInt32LE((isJoliet ? 17 : 16) * SECTOR + 156 + 2);
  const walk = (sector: number, path: string): readonly (readonly [string, string])[] =>
    entriesAt(image, sector, isJoliet).flatMap((entry) => {
      const name = `${path}${entry.name}`;
      if (entry.isDirectory) return walk(entry.sector, `${name}/`);
      const content = image.subarray(entry.sector * SECTOR, entry.sector * SECTOR + entry.bytes);
      return [[name, content.toString()] as const];
    });
  return Object.fromEntries(walk(root, ''));
}

function labelOf(image: Uint8Array): string {
  return Buffer.from(image)
    .toString('latin1', 16 * SECTOR + 40, 16 * SECTOR + 72)
    .trim();
}

describe('a NoCloud seed', () => {
  it('is what it has always been, to the byte', () => {
    const digest = createHash('sha256').update(seedImage(seed)).digest('hex');
    expect(digest).toBe('b2eb28a0354033017c7965c913e9dbe61d040084c6171c21c4d1f5ebec065433');
  });

  it('carries the identity, the keys and the user-data under the label cidata', () => {
    expect(labelOf(seedImage(seed))).toBe('cidata');
    expect(filesOf(seedImage(seed), true)).toEqual({
      'meta-data':
        'instance-id: "vm_1"\nlocal-hostname: "render-1"\npublic-keys:\n  - "ssh-ed25519 AAAA a@b"\n',
      'user-data': seed.userData,
    });
  });
});

describe('a config drive', () => {
  const drive: Seed = { ...seed, form: 'config-drive', adminPassword: 'p"w\u00e4<' };

  it('carries them where cloudbase-init looks, under the label config-2', () => {
    expect(labelOf(seedImage(drive))).toBe('config-2');
    const files = filesOf(seedImage(drive), true);
    expect(Object.keys(files)).toEqual([
      'openstack/latest/meta_data.json',
      'openstack/latest/user_data',
    ]);
    expect(files['openstack/latest/user_data']).toBe(seed.userData);
    expect(JSON.parse(files['openstack/latest/meta_data.json'] ?? '')).toEqual({
      ...{ uuid: 'vm_1', name: 'render-1', hostname: 'render-1', launch_index: 0 },
      public_keys: { 'key-0': 'ssh-ed25519 AAAA a@b' },
      admin_pass: 'p"w\u00e4<',
    });
  });

  it('can be read by what knows no Joliet, too', () => {
    expect(Object.keys(filesOf(seedImage(drive), false))).toEqual([
      'OPENSTACK/LATEST/META_DATA.JSON;1',
      'OPENSTACK/LATEST/USER_DATA.;1',
    ]);
  });

  it('has no user-data and no password when there are none', () => {
    const { adminPassword: _none, ...plain } = { ...drive, userData: '' };
    const files = filesOf(seedImage(plain), true);
    expect(Object.keys(files)).toEqual(['openstack/latest/meta_data.json']);
    expect(files['openstack/latest/meta_data.json']).not.toContain('admin_pass');
  });
});

describe('an image', () => {
  it('has as many sectors as it says', () => {
    const image = Buffer.from(isoImage('x', [{ name: 'a/b/c', content: Buffer.alloc(5000) }]));
    expect(image.readUInt32LE(16 * SECTOR + 80) * SECTOR).toBe(image.length);
  });

  it('refuses a directory that does not fit one sector', () => {
    const many = Array.from({ length: 60 }, (_, n) => ({
      name: `a-rather-long-name-${n}`,
      content: Buffer.alloc(1),
    }));
    expect(() => isoImage('x', many)).toThrow(RangeError);
  });
});
