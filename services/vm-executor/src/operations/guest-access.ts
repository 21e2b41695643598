import type { VmRecord } from '../vm/record.ts';
import type { CallContext } from './handling.ts';
import type { RequestOf } from './under-way.ts';

/** Gives a user of the guest a password, which is kept nowhere. @throws VmFailure */
export async function setPassword(
  { vmId, params }: RequestOf<'setPassword'>,
  { hypervisor }: CallContext,
  signal: AbortSignal,
): Promise<void> {
  await hypervisor.setPassword(vmId, params.user, params.password, signal);
}

/** Lets the owner of a key in as a user of the guest. @throws VmFailure */
export async function addSshKey(
  { vmId, params }: RequestOf<'addSshKey'>,
  { hypervisor }: CallContext,
  signal: AbortSignal,
): Promise<void> {
  await hypervisor.addSshKey(vmId, params.user, params.publicKey, signal);
}

/** Why nobody in the guest can be asked. */
export function whyNoGuest({ state }: VmRecord): string | undefined {
  if (state === 'running') return undefined;
  return `The machine is ${state}; only a running guest can be asked. Start it first.`;
}
