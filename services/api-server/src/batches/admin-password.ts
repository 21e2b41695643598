import { type BatchRequest, type LinkCommand, PROBLEMS, type VmSpec } from '@factory/contracts';
import { ProblemError, type SecretBox } from '@factory/runtime';
import type { BatchWishes } from './store.ts';

/** What these are sealed for in our store. */
const PURPOSE = 'the administrator of a batch';

/**
 * The wishes with the request's password, as it may be kept.
 * @throws ProblemError when nothing in these machines would set it.
 */
export function withAdminPassword(
  wishes: BatchWishes,
  { adminPassword }: Pick<BatchRequest, 'adminPassword'>,
  secrets: SecretBox,
): BatchWishes {
  if (adminPassword === undefined) return wishes;
  if (wishes.hardware?.os !== 'windows') {
    const detail =
      'adminPassword is for Windows machines (hardware.os); others get keys, or :setPassword when they run';
    throw new ProblemError(PROBLEMS.invalidRequest, detail, { field: 'adminPassword' });
  }
  return { ...wishes, adminPassword: secrets.seal(adminPassword, PURPOSE) };
}

/** The command as its cluster is told of it. @throws UnsealError */
export function withOpenPasswords(command: LinkCommand, secrets: SecretBox): LinkCommand {
  const opened = (spec: VmSpec): VmSpec =>
    spec.adminPassword === undefined
      ? spec
      : { ...spec, adminPassword: secrets.open(spec.adminPassword, PURPOSE) };
  switch (command.kind) {
    case 'assignVms':
      return { ...command, vms: command.vms.map((vm) => ({ ...vm, spec: opened(vm.spec) })) };
    case 'setDesired':
      return {
        ...command,
        changes: command.changes.map((change) =>
          change.spec === undefined ? change : { ...change, spec: opened(change.spec) },
        ),
      };
    default:
      return command;
  }
}
