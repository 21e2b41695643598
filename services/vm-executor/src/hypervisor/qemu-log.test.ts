import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VmFailure } from '../failures.ts';
import { testVmId } from '../testing.ts';
import { domainName } from './names.ts';
import { withWords, wordsIn, wordsOfQemu } from './qemu-log.ts';

/** As libvirt 9.0 and QEMU 7.2 write it; the command line is shortened. */
const LOG = `2026-11-21 19:00:01.100+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.0
LC_ALL=C \\
PATH=/usr/bin \\
/usr/bin/qemu-system-x86_64 \\
-name guest=fct-vm,debug-threads=on
2026-11-21T19:00:01.200000Z qemu-system-x86_64: an older run's words
2026-11-21 19:00:02.000+0000: shutting down, reason=destroyed
2026-11-21 19:05:01.100+0000: starting up libvirt version: 9.0.0, qemu version: 7.2.0
/usr/bin/qemu-system-x86_64 \\
-machine pc-q35-7.2
2026-11-21T19:05:01.200000Z qemu-system-x86_64: -drive file=/x.qcow2: Failed to get "write" lock
Is another process using the image [/x.qcow2]?
2026-11-21T19:05:01.300000Z qemu-system-x86_64: terminating on signal 15 from pid 1
2026-11-21 19:05:02.000+0000: shutting down, reason=failed
`;
const WORDS =
  '-drive file=/x.qcow2: Failed to get "write" lock; terminating on signal 15 from pid 1';

describe('what QEMU said', () => {
  it('is what it wrote since its last start, without the lines of libvirt', () => {
    expect(wordsIn(LOG)).toBe(WORDS);
    expect(wordsIn(LOG.slice(0, 200))).toBeUndefined();
    expect(wordsIn('')).toBeUndefined();
  });

  it("is read from the end of the domain's log, when there is one", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'qemu-log-'));
    try {
      const vmId = testVmId(1);
      expect(await wordsOfQemu(vmId, folder)).toBeUndefined();
      await writeFile(join(folder, `${domainName(vmId)}.log`), 'x'.repeat(50_000) + LOG);
      expect(await wordsOfQemu(vmId, folder)).toBe(WORDS);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is told once, after what the hypervisor says', () => {
    const failure = new VmFailure('HYPERVISOR_ERROR', 'it ended', { isTransient: true });
    const told = withWords(failure, 'no room');
    expect(told).toMatchObject({ message: 'it ended QEMU said: no room', isTransient: true });
    expect(withWords(told, 'no room')).toBe(told);
    expect(withWords(failure, undefined)).toBe(failure);
  });
});
