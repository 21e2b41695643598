import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { describeConformance } from './conformance.ts';

// A file of its own: all users of `test:///default` share one simulated host.
const folder = mkdtempSync(join(tmpdir(), 'libvirt-test-driver-'));
const file = join(folder, 'node.xml');
const cpu =
  '<cpu><mhz>2000</mhz><model>i686</model><nodes>1</nodes><sockets>2</sockets>' +
  '<cores>2</cores><threads>1</threads><active>4</active></cpu>';
writeFileSync(file, `<node>${cpu}<memory>8000000</memory></node>`);
afterAll(() => rmSync(folder, { recursive: true }));

describeConformance({
  name: 'its own simulator (test:)',
  uri: `test://${file}`,
  features: new Set(['screenshot']),
  alreadyRunning: 'INTERNAL_ERROR',
  domainXml: (name) => `<domain type='test'>
      <name>${name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
      <os><type arch='i686'>hvm</type></os>
      <devices><console type='pty'/></devices>
    </domain>`,
  networkXml: (name) => `<network>
      <name>${name}</name><bridge name='lvsim0'/>
      <ip address='10.213.1.1' netmask='255.255.255.0'>
        <dhcp><range start='10.213.1.100' end='10.213.1.200'/></dhcp>
      </ip>
    </network>`,
});
