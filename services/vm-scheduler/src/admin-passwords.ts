import { SEALED_MARK, type VmId, type VmSpec } from '@factory/contracts';
import type { SecretBox } from '@factory/runtime';

/**
 * The spec with its administrator's password sealed for its machine: so it is stored, launched with
 * and written down by agents. Only the executor opens it.
 */
export function sealedSpec(spec: VmSpec, vmId: VmId, secrets: SecretBox | undefined): VmSpec {
  if (spec.adminPassword === undefined || secrets === undefined) return spec;
  return { ...spec, adminPassword: SEALED_MARK + secrets.seal(spec.adminPassword, vmId) };
}
