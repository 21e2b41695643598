import type { HttpResponse, HttpStream, HttpTransport } from '@factory/runtime';
import {
  AGENT_API_PATH,
  type AgentCall,
  type AgentEvent,
  type AgentSubscribe,
  type Operation,
  parseResources,
  readRecords,
} from '../../protocol/index.ts';

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

/**
 * An agent that does only what a test tells it, and remembers what the master says. Operations are
 * finished as soon as they come.
 */
export class FakeAgent {
  readonly events: AgentEvent[] = [];
  /** What the next SUBSCRIBE says. */
  describe: AgentSubscribe;
  hasEnded = false;
  readonly #transport: HttpTransport;
  readonly #url: string;
  #stream: HttpStream | undefined;

  constructor(transport: HttpTransport, master: string, describe: Partial<AgentSubscribe> = {}) {
    this.#transport = transport;
    this.#url = master + AGENT_API_PATH;
    this.describe = {
      agent_info: { hostname: 'fake', port: 5051 },
      version: '1.12.0',
      capabilities: ['MULTI_ROLE', 'RESERVATION_REFINEMENT'],
      total_resources: parseResources('cpus:8;mem:8192'),
      frameworks: [],
      executors: [],
      tasks: [],
      ...describe,
    };
  }

  /** The id that the master gave. */
  get id(): string {
    const subscribed = this.of('SUBSCRIBED').at(-1);
    if (subscribed === undefined) throw new Error('The agent is not subscribed');
    return subscribed.agent_id;
  }

  of<T extends AgentEvent['type']>(type: T) {
    return this.events.filter((event): event is Extract<AgentEvent, { type: T }> => {
      return event.type === type;
    });
  }

  /** Opens the stream and reads it until it ends. */
  async subscribe(): Promise<void> {
    this.hasEnded = false;
    const body = JSON.stringify({ type: 'SUBSCRIBE', subscribe: this.describe });
    const stream = await this.#transport.stream({
      ...{ method: 'POST', url: this.#url, headers: JSON_HEADERS, body, timeoutMs: 5000 },
    });
    this.#stream = stream;
    try {
      for await (const record of readRecords(stream.body)) {
        const event: AgentEvent = JSON.parse(Buffer.from(record).toString());
        this.events.push(event);
        if (event.type === 'APPLY_OPERATION') void this.#finish(event.operation);
      }
    } finally {
      this.hasEnded = true;
    }
  }

  send(call: AgentCall): Promise<HttpResponse> {
    return this.#transport.request({
      ...{ method: 'POST', url: this.#url, headers: JSON_HEADERS, timeoutMs: 5000 },
      body: JSON.stringify(call),
    });
  }

  #finish({ uuid, framework_id, info }: Operation): Promise<HttpResponse> {
    return this.send({
      type: 'UPDATE_OPERATION',
      agent_id: this.id,
      operation_uuid: uuid.value,
      framework_id: framework_id?.value,
      status: { operation_id: info.id, state: 'OPERATION_FINISHED', uuid },
    });
  }

  /** Hangs up without a word. */
  cut(): void {
    this.#stream?.close();
  }
}
