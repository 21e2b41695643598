import type { MessageTypes } from '../../../../mesos-core/src/protocol/index.ts';
import { type Answer, ask, type RawRequest } from './raw-http.ts';
import { noteTraffic } from './traffic.ts';
import { type Encoding, encode, mediaType } from './wire.ts';

type CallName = 'scheduler.Call' | 'executor.Call' | 'master.Call' | 'agent.Call';

/** Which API a call goes to, and how. */
export interface Route<N extends CallName> {
  readonly url: string;
  readonly name: N;
  readonly encoding: Encoding;
}

/** A call as a request. */
export function requestFor<N extends CallName>(
  { url, name, encoding }: Route<N>,
  call: MessageTypes[N],
  headers: Readonly<Record<string, string>> = {},
): RawRequest {
  const type = mediaType(encoding);
  return {
    url,
    headers: { 'content-type': type, accept: type, ...headers },
    body: encode(encoding, name, call),
  };
}

/** Makes a call and reads the whole answer; notes whether the call was taken or refused. */
export async function callApi<N extends CallName>(
  route: Route<N>,
  call: MessageTypes[N],
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const answer = await ask(requestFor(route, call, headers));
  noteTraffic(route.encoding, route.name, call, answer.status < 300);
  return answer;
}
