import { ACCEPTED, type ApiAnswer, type ApiCall, OK } from '../http/api-call.ts';
import { MesosHttpError } from '../http/mesos-http.ts';
import {
  decodeMessage,
  MEDIA_TYPES,
  requestEncoding,
  responseEncoding,
  type SchedulerCall,
  validateSchedulerCall,
} from '../protocol/index.ts';
import { checkFrameworkPrincipal, withPrincipal } from './authorization.ts';
import type { MasterCore } from './core.ts';
import type { Frameworks } from './frameworks.ts';
import type { SchedulerCalls } from './scheduler-calls.ts';

export interface SchedulerApiParts {
  readonly core: MasterCore;
  readonly frameworks: Frameworks;
  readonly schedulerCalls: SchedulerCalls;
}

/** Answers a call of the v1 scheduler API: at once, but for those that change the registry. */
export function answerSchedulerCall(
  parts: SchedulerApiParts,
  { head, body, caller }: ApiCall,
): ApiAnswer | Promise<ApiAnswer> {
  const call = decodeMessage('scheduler.Call', requestEncoding(head.contentType), body);
  validateSchedulerCall(call);
  const { metrics, state } = parts.core;
  if (call.type === 'SUBSCRIBE') return subscribeScheduler(parts, call, { head, caller });
  const framework = state.frameworks.get(call.framework_id?.value ?? '');
  if (framework === undefined) throw new MesosHttpError(400, 'Framework cannot be found');
  checkFrameworkPrincipal(framework, call, caller);
  checkStreamId(framework.id, framework.stream?.id, head.streamId);
  metrics.onCall(framework.id, call, (offerId) => state.offers.has(offerId));
  switch (call.type) {
    case 'TEARDOWN':
      return parts.frameworks.remove(framework).then(() => ACCEPTED);
    case 'UPDATE_FRAMEWORK':
      return parts.frameworks.update(framework, call.update_framework).then((problem) => {
        if (problem !== undefined) throw new MesosHttpError(400, problem);
        return OK;
      });
    default:
      parts.schedulerCalls.handle(framework, call);
      return ACCEPTED;
  }
}

async function subscribeScheduler(
  { frameworks }: SchedulerApiParts,
  call: Extract<SchedulerCall, { type: 'SUBSCRIBE' }>,
  { head, caller }: Pick<ApiCall, 'head' | 'caller'>,
): Promise<ApiAnswer> {
  if (head.streamId !== undefined) {
    const message = "Subscribe calls should not include the 'Mesos-Stream-Id' header";
    throw new MesosHttpError(400, message);
  }
  const accept = responseEncoding(head.accept);
  const { suppressed_roles = [], offer_constraints } = call.subscribe;
  const framework_info = withPrincipal(call.subscribe.framework_info, caller);
  const body = await frameworks.subscribe(
    framework_info,
    suppressed_roles,
    accept,
    offer_constraints,
  );
  return { type: 'stream', id: body.id, contentType: MEDIA_TYPES[accept], body };
}

function checkStreamId(
  frameworkId: string,
  current: string | undefined,
  given: string | undefined,
): void {
  if (current === undefined) throw new MesosHttpError(403, 'Framework is not subscribed');
  if (given === undefined) {
    const message = "All non-subscribe calls should include the 'Mesos-Stream-Id' header";
    throw new MesosHttpError(400, message);
  }
  if (given === current) return;
  throw new MesosHttpError(
    400,
    `The stream ID '${given}' included in this request didn't match the stream ID currently ` +
      `associated with framework ID ${frameworkId}`,
  );
}
