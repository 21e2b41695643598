import {
  CONSOLE_ENDS,
  CONSOLE_PATHS,
  CONSOLE_TOKEN_HEADER,
  CONSOLES_PER_VM_MAX,
  type ConsoleKind,
  type ConsoleRelay,
  type OperationRequest,
  type VmId,
} from '@factory/contracts';
import {
  type ByteChannel,
  type ChannelDialer,
  type Clock,
  joinChannels,
  type Logger,
  withDeadline,
} from '@factory/runtime';
import { VmFailure } from '../failures.ts';
import type { Answer } from '../operations/handling.ts';
import type { ConsolePort } from './port.ts';
import { SerialHub } from './serial-hub.ts';

const OPEN_TIMEOUT_MS = 8_000;
/** The relay answers when the api-server has answered it. */
const DIAL_TIMEOUT_MS = 10_000;
/** Requests that are remembered, for those that come twice. */
const REMEMBERED_MAX = 256;

export interface ConsolesParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly port: ConsolePort;
  readonly dialer: ChannelDialer;
}

type ConsoleRequest = Extract<OperationRequest, { readonly kind: 'console' }>;

/** Opens consoles of this host's guests when asked, and brings each to the relay that is named. */
export class Consoles {
  readonly #parts: ConsolesParts;
  readonly #hub: SerialHub;
  readonly #asked = new Map<string, Promise<Answer>>();
  readonly #counts = new Map<string, number>();
  readonly #channels = new Set<ByteChannel>();
  #isClosed = false;

  constructor(parts: ConsolesParts) {
    this.#parts = parts;
    this.#hub = new SerialHub((vmId) => parts.port.open(vmId, 'serial'), parts.logger);
  }

  /** Once for each operation: one that comes again gets what came of the first time. @throws VmFailure */
  open(request: ConsoleRequest): Promise<Answer> {
    const known = this.#asked.get(request.operationId);
    if (known !== undefined) return known;
    const answer = this.#bring(request).then(() => ({}));
    this.#asked.set(request.operationId, answer);
    const [oldest] = this.#asked.keys();
    if (this.#asked.size > REMEMBERED_MAX && oldest !== undefined) this.#asked.delete(oldest);
    return answer;
  }

  /** Ends all, and says why; those too that are being opened. */
  close(): void {
    this.#isClosed = true;
    for (const channel of this.#channels) channel.close(CONSOLE_ENDS.hostAway);
  }

  async #bring({ operationId, vmId, params }: ConsoleRequest): Promise<void> {
    const { kind, relay } = params;
    if (relay === undefined) {
      throw new VmFailure('HYPERVISOR_ERROR', 'The request does not say where to bring it.');
    }
    const place = `${vmId}/${kind}`;
    const count = this.#counts.get(place) ?? 0;
    if (count >= CONSOLES_PER_VM_MAX) {
      const message = `${count} consoles of this kind are open already; close one.`;
      throw new VmFailure('HYPERVISOR_ERROR', message);
    }
    this.#counts.set(place, count + 1);
    const done = (): void => {
      const left = (this.#counts.get(place) ?? 1) - 1;
      if (left > 0) this.#counts.set(place, left);
      else this.#counts.delete(place);
    };
    try {
      const console = await this.#openLocal(vmId, kind);
      const far = await this.#dial(operationId, relay).catch((error: unknown) => {
        console.close(CONSOLE_ENDS.hostAway);
        const message = 'The way from the host to the API server is broken; its log says where.';
        throw new VmFailure('HYPERVISOR_ERROR', message, { cause: error });
      });
      this.#pass(console, far).then(done, done);
    } catch (error) {
      done();
      this.#parts.logger.warn({ err: error, vmId, operationId }, 'a console was not opened');
      throw error;
    }
  }

  async #openLocal(vmId: VmId, kind: ConsoleKind): Promise<ByteChannel> {
    const { clock, port } = this.#parts;
    const opening = kind === 'serial' ? this.#hub.attach(vmId) : port.open(vmId, kind);
    try {
      return await withDeadline(
        clock,
        `opening the ${kind} console`,
        OPEN_TIMEOUT_MS,
        () => opening,
      );
    } catch (error) {
      // One that opens after all is not left open.
      opening.then((late) => late.close(CONSOLE_ENDS.notOpened)).catch(() => undefined);
      throw error;
    }
  }

  #dial(operationId: string, { url, token }: ConsoleRelay): Promise<ByteChannel> {
    return this.#parts.dialer.dial({
      url: `${url}${CONSOLE_PATHS.relay}${operationId}`,
      headers: { [CONSOLE_TOKEN_HEADER]: token },
      timeoutMs: DIAL_TIMEOUT_MS,
    });
  }

  async #pass(console: ByteChannel, far: ByteChannel): Promise<void> {
    this.#channels.add(far);
    if (this.#isClosed) far.close(CONSOLE_ENDS.hostAway);
    try {
      await joinChannels(console, far, { clock: this.#parts.clock });
    } finally {
      this.#channels.delete(far);
    }
  }
}

/** Has the host's consoles open one. @throws VmFailure */
export async function openConsole(
  request: ConsoleRequest,
  consoles: Consoles | undefined,
): Promise<Answer> {
  if (consoles === undefined) {
    throw new VmFailure('HYPERVISOR_ERROR', 'This host opens no consoles.');
  }
  return consoles.open(request);
}
