import type { Clock, Timer } from '@factory/runtime';
import { LibvirtOverloadedError, LibvirtTimeoutError } from './errors.ts';
import type { Frame } from './frame.ts';

/** A request that is ready to go. */
interface Request {
  readonly serial: number;
  /** For messages. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly timeoutMs: number;
  /** Called with the answer to a call whose caller was told of a timeout long ago. */
  readonly onLateReply?: (reply: Frame) => void;
}

interface Entry {
  readonly request: Request;
  readonly resolve: (reply: Frame) => void;
  readonly reject: (error: Error) => void;
  timer: Timer;
}

/** How {@link CallTable} reaches the connection. */
interface CallTableOptions {
  readonly clock: Clock;
  /** Calls sent and unanswered at a time. */
  readonly maxInFlight: number;
  /** Calls that may wait for their turn. */
  readonly maxQueued: number;
  readonly send: (bytes: Uint8Array) => void;
  /** Every place is held by a call that timed out: nothing can be called any more. */
  readonly onUnresponsive: () => void;
}

/**
 * The calls of one connection: at most `maxInFlight` are sent and unanswered, the others wait in
 * order. A deadline counts from sending; waiting has a deadline of the same length. A call that
 * timed out keeps its place until libvirt answers, because libvirtd keeps it busy as well.
 */
export class CallTable {
  readonly #options: CallTableOptions;
  readonly #queued: Entry[] = [];
  readonly #sent = new Map<number, Entry>();
  readonly #abandoned = new Map<number, Request>();
  #closedBy: Error | undefined;

  constructor(options: CallTableOptions) {
    this.#options = options;
  }

  /**
   * The reply to `request`, whatever its status.
   * @throws LibvirtTimeoutError, LibvirtOverloadedError, or the error the table was closed with.
   */
  request(request: Request): Promise<Frame> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== undefined) {
        reject(this.#closedBy);
        return;
      }
      if (this.#queued.length >= this.#options.maxQueued) {
        reject(new LibvirtOverloadedError(request.name, this.#options.maxQueued));
        return;
      }
      const entry: Entry = { request, resolve, reject, timer: this.#queueTimer(request) };
      this.#queued.push(entry);
      this.#sendNext();
    });
  }

  /** Hands a reply to its caller; gives false for a reply that nobody waits for. */
  settle(reply: Frame): boolean {
    const entry = this.#sent.get(reply.serial);
    const abandoned = this.#abandoned.get(reply.serial);
    this.#sent.delete(reply.serial);
    this.#abandoned.delete(reply.serial);
    entry?.timer.cancel();
    entry?.resolve(reply);
    abandoned?.onLateReply?.(reply);
    this.#sendNext();
    return entry !== undefined || abandoned !== undefined;
  }

  /** Rejects everything that waits, and everything that comes later, with `error`. */
  close(error: Error): void {
    this.#closedBy = error;
    for (const entry of [...this.#queued.splice(0), ...this.#sent.values()]) {
      entry.timer.cancel();
      entry.reject(error);
    }
    this.#sent.clear();
    this.#abandoned.clear();
  }

  #sendNext(): void {
    while (this.#sent.size + this.#abandoned.size < this.#options.maxInFlight) {
      const entry = this.#queued.shift();
      if (entry === undefined) return;
      entry.timer.cancel();
      entry.timer = this.#replyTimer(entry.request);
      this.#sent.set(entry.request.serial, entry);
      this.#options.send(entry.request.bytes);
    }
  }

  #queueTimer(request: Request): Timer {
    return this.#options.clock.after(request.timeoutMs, () => {
      const index = this.#queued.findIndex((entry) => entry.request === request);
      const [entry] = this.#queued.splice(index, 1);
      entry?.reject(new LibvirtTimeoutError(request.name, request.timeoutMs, 'queued'));
    });
  }

  #replyTimer(request: Request): Timer {
    return this.#options.clock.after(request.timeoutMs, () => {
      const entry = this.#sent.get(request.serial);
      this.#sent.delete(request.serial);
      this.#abandoned.set(request.serial, request);
      entry?.reject(new LibvirtTimeoutError(request.name, request.timeoutMs, 'sent'));
      if (this.#abandoned.size >= this.#options.maxInFlight) this.#options.onUnresponsive();
    });
  }
}
