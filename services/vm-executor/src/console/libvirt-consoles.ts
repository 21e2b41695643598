import { connect as connectSocket } from 'node:net';
import { CONSOLE_ENDS, type VmId } from '@factory/contracts';
import { connectLibvirt, type Libvirt, type LibvirtStream } from '@factory/libvirt';
import {
  type ByteChannel,
  type ChannelEnd,
  type Clock,
  type Logger,
  streamChannel,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import { vncSocketOf } from '../hypervisor/domain-xml/graphics.ts';
import { toVmFailure } from '../hypervisor/libvirt-link.ts';
import { domainName, domainUuid } from '../hypervisor/names.ts';
import type { ConsolePort } from './port.ts';

/** Guests' consoles through libvirtd; each has a connection of its own. */
export function createLibvirtConsoles(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly socketPath: string;
}): ConsolePort {
  return {
    async open(vmId, kind) {
      try {
        // A guest that does not read what is typed takes up the connection's places for requests.
        const libvirt = await connectLibvirt({ ...options, uri: 'qemu:///system' });
        return kind === 'serial'
          ? await openSerial(libvirt, vmId)
          : await openScreen(libvirt, vmId);
      } catch (error) {
        throw toVmFailure(error);
      }
    },
  };
}

async function openSerial(libvirt: Libvirt, vmId: VmId): Promise<ByteChannel> {
  try {
    return fromStream(await libvirt.domains.openConsole(refOf(vmId)), libvirt);
  } catch (error) {
    await libvirt.close();
    throw error;
  }
}

/** On a socket of the host's file system that only root and QEMU reach; no port is opened. */
async function openScreen(libvirt: Libvirt, vmId: VmId): Promise<ByteChannel> {
  try {
    const path = vncSocketOf(await libvirt.domains.getXml(refOf(vmId)));
    if (path === undefined) {
      throw new VmFailure('HYPERVISOR_ERROR', 'The machine is off, or has no screen.');
    }
    const socket = connectSocket(path);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve).once('error', reject);
    await promise;
    return streamChannel(socket, CONSOLE_ENDS.machineOff);
  } finally {
    await libvirt.close();
  }
}

/** A libvirt stream as a channel. Its reader must be quick: libvirt can't be asked to wait. */
function fromStream(stream: LibvirtStream, libvirt: Libvirt): ByteChannel {
  const ended = Promise.withResolvers<ChannelEnd>();
  const end = (why: ChannelEnd): void => {
    ended.resolve(why);
    stream.abort();
    // Nothing else is on this connection.
    libvirt.close().catch(() => undefined);
  };
  async function* received(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* stream;
    } catch {
      // libvirtd is gone, or the stream broke; the guest may be well.
      end(CONSOLE_ENDS.hostAway);
    } finally {
      end(CONSOLE_ENDS.machineOff);
    }
  }
  return {
    received: received(),
    ended: ended.promise,
    // What can't be written any more meets the end that is being told of.
    send: (bytes) => stream.write(bytes).catch(() => undefined),
    close: end,
  };
}

function refOf(vmId: VmId) {
  return { name: domainName(vmId), uuid: domainUuid(vmId) };
}
