import type { IncomingMessage } from 'node:http';
import type { MasterEvent } from '../../../../mesos-core/src/protocol/index.ts';
import { requestFor } from './api.ts';
import { EventLog } from './event-log.ts';
import type { Operator } from './operator.ts';
import { open } from './raw-http.ts';
import { noteTraffic } from './traffic.ts';
import { decode } from './wire.ts';

/** An operator who listens to what changes in the cluster. */
export class OperatorStream extends EventLog<MasterEvent> {
  readonly #stream: IncomingMessage;

  private constructor(stream: IncomingMessage) {
    super();
    this.#stream = stream;
  }

  /** Subscribes; the first event is still to come. */
  static async subscribe({ target, encoding }: Operator): Promise<OperatorStream> {
    const call = { type: 'SUBSCRIBE' } as const;
    const route = { url: `${target.master}/api/v1`, name: 'master.Call', encoding } as const;
    const response = await open(requestFor(route, call));
    if (response.statusCode !== 200) {
      throw new Error(`SUBSCRIBE was answered with ${response.statusCode}`);
    }
    noteTraffic(encoding, 'master.Call', call);
    const stream = new OperatorStream(response);
    void stream.read(response, (record) => decode(encoding, 'master.Event', record));
    return stream;
  }

  close(): void {
    this.#stream.destroy();
  }
}
