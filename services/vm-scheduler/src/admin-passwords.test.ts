import { SEALED_MARK, type VmId, type VmSpec } from '@factory/contracts';
import { SecretBox, UnsealError } from '@factory/runtime';
import { seededRandom } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { sealedSpec } from './admin-passwords.ts';

const vmId = `vm_${'1'.repeat(32)}` as VmId;
const secrets = new SecretBox('ab'.repeat(32), seededRandom(1));
const spec = { hostname: 'win-1', vcpus: 1 } as VmSpec;

describe("an administrator's password", () => {
  it('is sealed for its machine alone, before anything of it is kept', () => {
    const { adminPassword = '', ...rest } = sealedSpec(
      { ...spec, adminPassword: 'open sesame' },
      vmId,
      secrets,
    );
    expect(rest).toEqual(spec);
    expect(adminPassword).not.toContain('sesame');
    const sealed = adminPassword.slice(SEALED_MARK.length);
    expect(secrets.open(sealed, vmId)).toBe('open sesame');
    expect(() => secrets.open(sealed, `vm_${'2'.repeat(32)}`)).toThrow(UnsealError);
  });

  it('changes nothing of machines without one', () => {
    expect(sealedSpec(spec, vmId, secrets)).toBe(spec);
  });
});
