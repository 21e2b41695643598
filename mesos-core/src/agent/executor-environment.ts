import { type EnvironmentVariable, formatDurationMs } from '../protocol/index.ts';
import { type AgentAddress, type AgentContext, agentIdOf } from './context.ts';
import { executorToken } from './executor-token.ts';
import type { ExecutorRun, Framework, TaskRecord } from './state.ts';

/** Longest wait between an executor's attempts to find its agent again; Mesos' own value. */
const SUBSCRIPTION_BACKOFF_MAX_MS = 2000;

/**
 * In Mesos an executor may wait just as long as the agent waits for it, and is killed when it is
 * unlucky. Here it tries twice in that time.
 */
function subscriptionBackoffMaxMs({ settings }: Pick<AgentContext, 'settings'>): number {
  return Math.min(SUBSCRIPTION_BACKOFF_MAX_MS, settings.executorReregistrationTimeoutMs / 2);
}

/**
 * The whole environment of an executor. Later entries win: the agent's settings, the framework's
 * CommandInfo, and last Mesos' own variables (as a Mesos 1.12 agent sets them), because an executor
 * relies on these.
 */
export function executorEnvironment(
  context: Pick<AgentContext, 'settings' | 'address' | 'state' | 'security'>,
  framework: Framework,
  run: ExecutorRun,
): Record<string, string> {
  const { settings, address } = context;
  const endpoint = endpointOf(address);
  const checkpoint = framework.info.checkpoint === true;
  return {
    ...settings.executorEnvironment,
    ...commandVariables(run.info.command?.environment?.variables ?? []),
    LIBPROCESS_IP: address.listenIp ?? address.ip,
    LIBPROCESS_PORT: '0',
    MESOS_AGENT_ENDPOINT: endpoint,
    MESOS_SLAVE_PID: `slave(1)@${endpoint}`,
    MESOS_SLAVE_ID: agentIdOf(context),
    MESOS_FRAMEWORK_ID: framework.id,
    MESOS_EXECUTOR_ID: run.executorId,
    MESOS_DIRECTORY: run.directory,
    MESOS_SANDBOX: run.directory,
    PWD: run.directory,
    MESOS_CHECKPOINT: checkpoint ? '1' : '0',
    ...(checkpoint
      ? {
          MESOS_RECOVERY_TIMEOUT: formatDurationMs(settings.recoveryTimeoutMs),
          MESOS_SUBSCRIPTION_BACKOFF_MAX: formatDurationMs(subscriptionBackoffMaxMs(context)),
        }
      : {}),
    MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: formatDurationMs(shutdownGraceMs(context, run)),
    MESOS_HTTP_COMMAND_EXECUTOR: '0',
    ...executorToken(context, run),
  };
}

/** `10.0.0.1:5051`, or `[2001:db8::1]:5051`. */
function endpointOf({ ip, port }: AgentAddress): string {
  return `${ip.includes(':') ? `[${ip}]` : ip}:${port}`;
}

/** From SHUTDOWN to SIGKILL for this executor. */
export function shutdownGraceMs(
  context: Pick<AgentContext, 'settings'>,
  run: Pick<ExecutorRun, 'info'>,
): number {
  const nanoseconds = run.info.shutdown_grace_period?.nanoseconds;
  if (nanoseconds === undefined) return context.settings.executorShutdownGracePeriodMs;
  return nanoseconds / 1e6;
}

/** What a task of a built-in executor gets besides the environment of its executor. */
export function taskEnvironment(
  run: Pick<ExecutorRun, 'containerId'>,
  task: Pick<TaskRecord, 'info'>,
): Record<string, string> {
  return {
    ...commandVariables(task.info.command?.environment?.variables ?? []),
    MESOS_TASK_ID: task.info.task_id.value,
    MESOS_CONTAINER_ID: run.containerId,
  };
}

/** The variables of a command; secrets that come by value are decoded. */
export function commandVariables(
  variables: readonly EnvironmentVariable[],
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const { name, value, secret } of variables) {
    const data = secret?.value?.data;
    const text = data === undefined ? value : Buffer.from(data, 'base64').toString('utf8');
    if (text !== undefined) given[name] = text;
  }
  return given;
}

/** Names of variables that an executor, which may run a stranger's code, must not inherit. */
const SECRET_NAME = /SECRET|TOKEN|PASSW|CREDENTIAL|PRIVATE|API_?KEY|DATABASE_URL|REDIS_URL/i;

/**
 * What executors get of the agent's own environment when nothing else is said: everything but what
 * is meant for the agent itself (MESOS_*, LIBPROCESS_*) or looks like a secret.
 */
export function inheritableEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || /^(MESOS|LIBPROCESS)_/.test(name)) continue;
    if (!SECRET_NAME.test(name)) kept[name] = value;
  }
  return kept;
}
