import { ACCEPTED, type ApiAnswer, type ApiCall } from '../http/api-call.ts';
import { MesosHttpError } from '../http/mesos-http.ts';
import { type AgentSubscribe, MEDIA_TYPES } from '../protocol/index.ts';
import { decodeAgentCall } from './agent-call.ts';
import type { Agents } from './agents.ts';
import { checkAgent } from './authorization.ts';
import type { MasterCore } from './core.ts';

export interface AgentApiParts {
  readonly core: MasterCore;
  readonly agents: Agents;
}

/** Answers a call of an agent (protocol/agent-protocol.ts): at once, but for SUBSCRIBE. */
export function answerAgentCall(
  parts: AgentApiParts,
  call: ApiCall,
): ApiAnswer | Promise<ApiAnswer> {
  const said = decodeAgentCall(call.body);
  if (said.type === 'SUBSCRIBE') return subscribeAgent(parts, said.subscribe, call);
  if (!parts.agents.handle(said)) throw new MesosHttpError(403, 'Agent is not subscribed');
  return ACCEPTED;
}

async function subscribeAgent(
  { core, agents }: AgentApiParts,
  subscribe: AgentSubscribe,
  { caller, ip }: ApiCall,
): Promise<ApiAnswer> {
  checkAgent(core.authorizer, caller, subscribe);
  const body = await agents.subscribe(subscribe, ip());
  return { type: 'stream', id: body.id, contentType: MEDIA_TYPES.json, body };
}
