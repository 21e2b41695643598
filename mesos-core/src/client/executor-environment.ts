import { parseDurationMs } from '../protocol/index.ts';
import { ExecutorEnvironmentError } from './errors.ts';

/** What the agent tells an executor that it starts. */
export interface ExecutorEnvironment {
  readonly frameworkId: string;
  readonly executorId: string;
  readonly agentId: string | undefined;
  /** `http://127.0.0.1:5051`. */
  readonly agentUrl: string;
  /** The executor's working directory, kept until the agent collects it. */
  readonly sandbox: string | undefined;
  /** Whether the executor must outlive its agent and wait for it to come back. */
  readonly checkpoint: boolean;
  /** How long to wait for it. */
  readonly recoveryTimeoutMs: number;
  /** Bound of the random pause between attempts to subscribe. */
  readonly subscriptionBackoffMaxMs: number;
  /** How long after SHUTDOWN the executor is killed. */
  readonly shutdownGracePeriodMs: number;
  /** JSON web token for the agent, where executors authenticate. Secret. */
  readonly authenticationToken: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads the `MESOS_*` variables of an executor. Defaults are those of Mesos' agent.
 * @throws ExecutorEnvironmentError when one is missing or wrong.
 */
export function readExecutorEnvironment(env: Variables): ExecutorEnvironment {
  const endpoint = required(env, 'MESOS_AGENT_ENDPOINT');
  const scheme = isSet(env.MESOS_SSL_ENABLED ?? env.LIBPROCESS_SSL_ENABLED) ? 'https' : 'http';
  const agentUrl = `${scheme}://${endpoint}`;
  if (!URL.canParse(agentUrl)) {
    throw new ExecutorEnvironmentError(`MESOS_AGENT_ENDPOINT is no address: '${endpoint}'`);
  }
  return {
    frameworkId: required(env, 'MESOS_FRAMEWORK_ID'),
    executorId: required(env, 'MESOS_EXECUTOR_ID'),
    agentId: env.MESOS_AGENT_ID ?? env.MESOS_SLAVE_ID,
    agentUrl,
    sandbox: env.MESOS_SANDBOX ?? env.MESOS_DIRECTORY,
    checkpoint: isSet(env.MESOS_CHECKPOINT),
    recoveryTimeoutMs: duration(env, 'MESOS_RECOVERY_TIMEOUT', '15mins'),
    subscriptionBackoffMaxMs: duration(env, 'MESOS_SUBSCRIPTION_BACKOFF_MAX', '2secs'),
    shutdownGracePeriodMs: duration(env, 'MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD', '5secs'),
    authenticationToken: env.MESOS_EXECUTOR_AUTHENTICATION_TOKEN,
  };
}

function isSet(value: string | undefined): boolean {
  return value === '1' || value === 'true';
}

function required(env: Variables, name: string): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new ExecutorEnvironmentError(`Expecting '${name}' to be set in the environment`);
}

function duration(env: Variables, name: string, fallback: string): number {
  const text = env[name] ?? fallback;
  const durationMs = parseDurationMs(text);
  if (durationMs !== undefined) return durationMs;
  throw new ExecutorEnvironmentError(`${name} is no duration: '${text}'`);
}
