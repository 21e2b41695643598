import { expect } from 'vitest';
import type { AgentApiCall, AgentApiResponse } from '../../../../mesos-core/src/protocol/index.ts';
import { callApi } from './api.ts';
import type { Operator } from './operator.ts';
import type { Answer } from './raw-http.ts';
import { decode, mediaType } from './wire.ts';

/** A call to the agent's operator API. */
export function callAgent({ target, encoding }: Operator, call: AgentApiCall): Promise<Answer> {
  return callApi({ url: `${target.agent}/api/v1`, name: 'agent.Call', encoding }, call);
}

/** A call to the agent that is answered with a response of its own type. */
export async function getFromAgent<T extends AgentApiResponse['type']>(
  operator: Operator,
  call: AgentApiCall & { readonly type: T },
): Promise<Extract<AgentApiResponse, { type: T }>> {
  const answer = await callAgent(operator, call);
  expect({ status: answer.status, type: answer.headers['content-type'] }).toEqual({
    ...{ status: 200, type: mediaType(operator.encoding) },
  });
  const response = decode(operator.encoding, 'agent.Response', answer.body);
  expect(response.type).toBe(call.type);
  return response as Extract<AgentApiResponse, { type: T }>;
}

/** A call to the agent that is answered with a status alone. */
export async function orderAgent(operator: Operator, call: AgentApiCall): Promise<void> {
  const { status, body } = await callAgent(operator, call);
  expect({ status, body: body.toString() }).toEqual({ status: 200, body: '' });
}
