import { MesosHttpError } from '../http/mesos-http.ts';
import type { ExecutorCall } from '../protocol/index.ts';
import { formatPrincipal, type Principal, signJwt } from '../security/index.ts';
import type { AgentContext } from './context.ts';
import type { ExecutorRun } from './state.ts';

/**
 * The variable with the executor's token; none where executors don't authenticate, and for those
 * built in: their environment is that of the task.
 */
export function executorToken(
  { security }: Pick<AgentContext, 'security'>,
  { kind, frameworkId, executorId, containerId }: ExecutorRun,
): Record<string, string> {
  if (security.executorTokenKey === undefined || kind !== 'custom') return {};
  // Without `exp`, as Mesos: the token is good for as long as its container is.
  const claims = { fid: frameworkId, eid: executorId, cid: containerId };
  return { MESOS_EXECUTOR_AUTHENTICATION_TOKEN: signJwt(claims, security.executorTokenKey) };
}

/**
 * An executor may speak for itself alone, and only in the life that its token was made for.
 * @throws MesosHttpError 403.
 */
export function checkExecutorClaims(
  call: ExecutorCall,
  run: Pick<ExecutorRun, 'containerId'>,
  caller: Principal | undefined,
): void {
  if (caller === undefined) return;
  const { fid, eid, cid } = caller.claims;
  const isItself =
    fid === call.framework_id.value && eid === call.executor_id.value && cid === run.containerId;
  if (isItself) return;
  throw new MesosHttpError(
    403,
    `Principal '${formatPrincipal(caller)}' may not speak for executor ` +
      `'${call.executor_id.value}' of framework '${call.framework_id.value}'`,
  );
}
