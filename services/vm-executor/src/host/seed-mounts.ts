import type { SeedMount } from '../storage/port.ts';
import type { IsoFile } from './iso-image.ts';

/**
 * How a guest learns what to mount. `mounts`, of our own, is read by the micro image: a line each,
 * `<type> <tag> <ro|rw> <path>`. `vendor-data` is for cloud-init, whose `mounts` take devices only, no
 * tags of file systems; so they are commands, which it runs early at every boot and which leave the
 * user's own user-data alone. Pure.
 * Source: https://cloudinit.readthedocs.io/en/latest/reference/modules.html (bootcmd, mounts)
 */
export function mountFiles(mounts: readonly SeedMount[]): readonly IsoFile[] {
  if (mounts.length === 0) return [];
  const lines = mounts.map(
    ({ type, tag, readOnly, path }) => `${type} ${tag} ${readOnly ? 'ro' : 'rw'} ${path}\n`,
  );
  const commands = mounts.map((mount) => `- ${JSON.stringify(['sh', '-c', commandOf(mount)])}\n`);
  return [
    { name: 'mounts', content: Buffer.from(lines.join('')) },
    { name: 'vendor-data', content: Buffer.from(`#cloud-config\nbootcmd:\n${commands.join('')}`) },
  ];
}

function commandOf({ type, tag, readOnly, path }: SeedMount): string {
  const at = quoted(path);
  const mode = readOnly ? 'ro' : 'rw';
  return `mkdir -p ${at} && ! mountpoint -q ${at} && ${mountOf(type, tag, mode)} ${at}`;
}

function mountOf(type: SeedMount['type'], tag: string, mode: 'ro' | 'rw'): string {
  switch (type) {
    case 'virtiofs':
      return `mount -t virtiofs -o ${mode} ${tag}`;
    case '9p':
      return `mount -t 9p -o trans=virtio,version=9p2000.L,${mode} ${tag}`;
    case 'disk':
      // The second name is that of a SATA disk.
      return `mount -o ${mode} "$(ls /dev/disk/by-id/virtio-${tag} /dev/disk/by-id/ata-*_${tag} 2>/dev/null | head -n 1)"`;
  }
}

/** One word for a shell, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
