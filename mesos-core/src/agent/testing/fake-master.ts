import { PassThrough } from 'node:stream';
import { type Clock, createHttpApp, type Logger, silentLogger } from '@factory/runtime';
import type { FastifyInstance } from 'fastify';
import {
  AGENT_API_PATH,
  type AgentCall,
  type AgentEvent,
  type AgentSubscribe,
  encodeRecord,
  type TaskStatus,
} from '../../protocol/index.ts';

type Update = Extract<AgentCall, { type: 'UPDATE' }>;

/** A master that does what a test tells it, and remembers what the agent says. */
export interface FakeMaster {
  readonly app: FastifyInstance;
  /** All calls, in order of arrival. */
  readonly calls: AgentCall[];
  readonly subscriptions: AgentSubscribe[];
  /** Updates in order of arrival, each uuid once. */
  readonly updates: TaskStatus[];
  /** Acknowledge updates as they come; otherwise tests do. */
  autoAcknowledge: boolean;
  /** The same for the ends of operations. */
  acknowledgesOperations: boolean;
  /** Answers SUBSCRIBE differently: with this status and, for 307, this location. */
  refusal: { readonly status: number; readonly location?: string } | undefined;
  /** Told to agents at SUBSCRIBED. */
  resubscribeSpreadMs: number;
  send(event: AgentEvent): void;
  acknowledge(update: Update): void;
  /** Ends the agent's stream. */
  cut(): void;
}

/** Speaks the agent protocol on a fastify app; gives agents the id `agent-1`. */
export function createFakeMaster(options: {
  readonly clock: Clock;
  readonly logger?: Logger;
  readonly heartbeatIntervalSeconds?: number;
}): FakeMaster {
  const { clock, logger = silentLogger, heartbeatIntervalSeconds = 15 } = options;
  const app = createHttpApp({ service: 'fake-master', clock, logger });
  let stream: PassThrough | undefined;
  const seen = new Set<string>();
  const master: FakeMaster = {
    app,
    calls: [],
    subscriptions: [],
    updates: [],
    autoAcknowledge: true,
    acknowledgesOperations: true,
    refusal: undefined,
    resubscribeSpreadMs: 0,
    send(event) {
      stream?.write(encodeRecord(Buffer.from(JSON.stringify(event))));
    },
    acknowledge({ framework_id, status }) {
      const task_id = status.task_id.value;
      master.send({ type: 'ACKNOWLEDGED', framework_id, task_id, uuid: status.uuid ?? '' });
    },
    cut() {
      stream?.end();
      stream = undefined;
    },
  };
  const take = (update: Update): void => {
    if (!master.calls.includes(update)) master.calls.push(update);
    if (!seen.has(update.status.uuid ?? '')) master.updates.push(update.status);
    seen.add(update.status.uuid ?? '');
    if (master.autoAcknowledge) master.acknowledge(update);
  };
  app.post(AGENT_API_PATH, async (request, reply) => {
    const call = request.body as AgentCall;
    if (call.type === 'UPDATES') {
      for (const update of call.updates)
        take({ type: 'UPDATE', agent_id: call.agent_id, ...update });
      return reply.status(202).send();
    }
    master.calls.push(call);
    if (call.type === 'SUBSCRIBE') {
      if (master.refusal !== undefined) {
        const { status, location } = master.refusal;
        return reply
          .status(status)
          .headers(location === undefined ? {} : { location })
          .send();
      }
      master.subscriptions.push(call.subscribe);
      stream?.end();
      stream = new PassThrough();
      master.send({
        type: 'SUBSCRIBED',
        agent_id: call.subscribe.agent_info.id?.value ?? 'agent-1',
        heartbeat_interval_seconds: heartbeatIntervalSeconds,
        resubscribe_spread_ms: master.resubscribeSpreadMs,
      });
      return reply.header('mesos-stream-id', 'stream-1').type('application/json').send(stream);
    }
    if (call.type === 'UPDATE') take(call);
    if (call.type === 'UPDATE_OPERATION' && master.acknowledgesOperations) {
      const { operation_uuid, status } = call;
      const uuid = status.uuid?.value ?? '';
      master.send({ type: 'OPERATION_ACKNOWLEDGED', operation_uuid, uuid });
    }
    return reply.status(202).send();
  });
  return master;
}
