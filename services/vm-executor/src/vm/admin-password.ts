import { SEALED_MARK } from '@factory/contracts';
import { type SecretBox, UnsealError } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { VmRecord } from './record.ts';

/**
 * The password that the record's machine is to have at its first boot; undefined: none was given. It
 * goes to the machine's seed and nowhere else. @throws VmFailure when this host can't open it.
 */
export function adminPasswordOf(
  { vmId, spec }: Pick<VmRecord, 'vmId' | 'spec'>,
  secrets: SecretBox | undefined,
): string | undefined {
  const { adminPassword } = spec;
  if (!adminPassword?.startsWith(SEALED_MARK)) return adminPassword;
  try {
    if (secrets === undefined) throw new UnsealError();
    return secrets.open(adminPassword.slice(SEALED_MARK.length), vmId);
  } catch (cause) {
    if (!(cause instanceof UnsealError)) throw cause;
    const message =
      "Its administrator's password can't be opened on its host: FACTORY_CLUSTER_SECRET_KEY there must be that of the vm-scheduler.";
    throw new VmFailure('COMMAND_REFUSED', message, { cause });
  }
}
