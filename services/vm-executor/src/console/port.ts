import type { ConsoleKind, VmId } from '@factory/contracts';
import type { ByteChannel } from '@factory/runtime';

/** The consoles of this host's guests. */
export interface ConsolePort {
  /**
   * Opens a console of a guest that is on. The channel ends when the guest goes off. One serial
   * console of a guest can be open at a time (serial-hub.ts shares it); of its screen, several.
   * @throws VmFailure
   */
  open(vmId: VmId, kind: ConsoleKind): Promise<ByteChannel>;
}
