import { describe, expect, it } from 'vitest';
import { devicesIn } from './live-volumes.ts';

/** As libvirt prints it of a guest that is on. */
const LIVE = `<domain type='qemu' id='3'>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/overlays/a&amp;b/disk.qcow2' index='2'/>
      <backingStore type='file' index='3'>
        <source file='/cache/base.qcow2'/>
      </backingStore>
      <target dev='vda' bus='virtio'/>
      <alias name='virtio-disk0'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sda' bus='sata'/>
      <alias name='sata0-0-0'/>
    </disk>
    <filesystem type='mount' accessmode='passthrough'>
      <driver type='virtiofs'/>
      <binary path='/libexec/virtiofsd-writable'/>
      <source dir='/volumes/vol_1/data'/>
      <target dir='scratch'/>
      <alias name='fs0'/>
    </filesystem>
  </devices>
</domain>`;

describe('the devices of a domain that is on', () => {
  it('are told by the file or folder that they are of, not by what that lies upon', () => {
    expect(devicesIn(LIVE)).toEqual([
      { path: '/overlays/a&b/disk.qcow2', alias: 'virtio-disk0', target: 'vda' },
      { path: '', alias: 'sata0-0-0', target: 'sda' },
      { path: '/volumes/vol_1/data', alias: 'fs0', target: 'scratch' },
    ]);
  });

  it('are none of a domain without any', () => {
    expect(devicesIn("<domain type='qemu'/>")).toEqual([]);
  });
});
