import { SEALED_MARK } from '@factory/contracts';
import { SecretBox } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { configDriveFiles } from '../host/config-drive.ts';
import { testTask } from '../testing.ts';
import { adminPasswordOf } from './admin-password.ts';
import { seedOf } from './planned.ts';
import { newRecord, type VmRecord } from './record.ts';

const box = (byte: string) => new SecretBox(byte.repeat(32), seededRandom(1));
const { vmId } = testTask(1);

function recordWith(adminPassword?: string): VmRecord {
  const record = newRecord(testTask(1), 0);
  const hardware = { os: 'windows' } as const;
  const userData = '#ps1_sysnative\nhostname';
  const given = adminPassword === undefined ? {} : { adminPassword };
  return { ...record, spec: { ...record.spec, hardware, userData, ...given } };
}

const sealed = SEALED_MARK + box('ab').seal('open sesame', vmId);

describe("an administrator's password", () => {
  it('is opened for the config drive, as cloudbase-init reads it', () => {
    const record = recordWith(sealed);
    const files = configDriveFiles(seedOf(record, adminPasswordOf(record, box('ab'))));
    const content = new Map(files.map((file) => [file.name, Buffer.from(file.content).toString()]));
    const metaData = JSON.parse(content.get('openstack/latest/meta_data.json') ?? '');
    expect(metaData).toMatchObject({ uuid: vmId, hostname: 'node-1', admin_pass: 'open sesame' });
    expect(content.get('openstack/latest/user_data')).toBe('#ps1_sysnative\nhostname');
  });

  it('that its host can not open is said so, and never given as it is', () => {
    for (const secrets of [undefined, box('cd')]) {
      expect(() => adminPasswordOf(recordWith(sealed), secrets)).toThrow(
        /FACTORY_CLUSTER_SECRET_KEY there must be that of the vm-scheduler/,
      );
    }
  });

  it('is nowhere when none was given', () => {
    const record = recordWith();
    expect(adminPasswordOf(record, undefined)).toBeUndefined();
    expect(seedOf(record).adminPassword).toBeUndefined();
  });
});
