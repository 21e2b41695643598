import { expect } from 'vitest';
import type {
  AgentID,
  MasterCall,
  MasterResponse,
} from '../../../../mesos-core/src/protocol/index.ts';
import { operate, type Target } from './target.ts';
import { decode, type Encoding, mediaType } from './wire.ts';

/** Whom an operator calls, and in which words. */
export interface Operator {
  readonly target: Target;
  readonly encoding: Encoding;
}

/** A call that is answered with a response of its own type. */
export async function get<T extends MasterResponse['type']>(
  { target, encoding }: Operator,
  call: MasterCall & { readonly type: T },
): Promise<Extract<MasterResponse, { type: T }>> {
  const answer = await operate(target.master, encoding, call);
  expect({ status: answer.status, type: answer.headers['content-type'] }).toEqual({
    ...{ status: 200, type: mediaType(encoding) },
  });
  const response = decode(encoding, 'master.Response', answer.body);
  expect(response.type).toBe(call.type);
  return response as Extract<MasterResponse, { type: T }>;
}

/** A call that is answered with a status alone. */
export async function order(
  { target, encoding }: Operator,
  call: MasterCall,
  status = 200,
): Promise<void> {
  const answer = await operate(target.master, encoding, call);
  expect({ status: answer.status, body: answer.body.toString() }).toEqual({ status, body: '' });
}

/** A call that is refused with 400; gives what it says. */
export async function refused({ target, encoding }: Operator, call: MasterCall): Promise<string> {
  const answer = await operate(target.master, encoding, call);
  expect(answer.status).toBe(400);
  return answer.body.toString();
}

/** The agent that the cases use. */
export async function firstAgent(operator: Operator) {
  const { get_agents } = await get(operator, { type: 'GET_AGENTS' });
  const agent = get_agents.agents?.[0];
  if (agent === undefined) throw new Error('there is no agent');
  return agent;
}

export async function firstAgentId(operator: Operator): Promise<AgentID> {
  const { id } = (await firstAgent(operator)).agent_info;
  if (id === undefined) throw new Error('the agent has no id');
  return id;
}
