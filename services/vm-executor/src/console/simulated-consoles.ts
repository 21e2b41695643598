import { CONSOLE_ENDS } from '@factory/contracts';
import { type ByteChannel, channelPair } from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { SimulatedHost } from '../hypervisor/simulated-host.ts';
import type { ConsolePort } from './port.ts';

/** What a VNC server says first (RFC 6143, 7.1.1). */
const RFB_VERSION = 'RFB 003.008\n';

/** Consoles of simulated guests: a serial one says what it is told, a screen just its protocol. */
export function createSimulatedConsoles(host: SimulatedHost): ConsolePort {
  return {
    async open(vmId, kind) {
      await host.call();
      const domain = host.domains.get(vmId);
      if (domain === undefined || !domain.on) {
        throw new VmFailure('HYPERVISOR_ERROR', 'The machine is off.');
      }
      const [guest, viewer] = channelPair();
      const { life } = domain;
      const leave = (): void => void host.hypervisorListeners.delete(watch);
      const watch = (): void => {
        const isSame = host.domains.get(vmId) === domain && domain.on && domain.life === life;
        if (!isSame) guest.close(CONSOLE_ENDS.machineOff);
      };
      host.hypervisorListeners.add(watch);
      viewer.ended.then(leave, leave);
      if (kind === 'vnc') void guest.send(Buffer.from(RFB_VERSION));
      else echo(guest, (text) => host.writeConsole(vmId, text));
      return viewer;
    },
  };
}

/** Says what it hears, on the console and into its log. */
function echo(guest: ByteChannel, log: (text: string) => void): void {
  const listen = async (): Promise<void> => {
    for await (const bytes of guest.received) {
      log(Buffer.from(bytes).toString('utf8'));
      await guest.send(bytes);
    }
  };
  void listen();
}
