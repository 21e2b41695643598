import type { CheckInfo, CommandInfo, HealthCheck } from '../../protocol/index.ts';
import { commandProblem } from './command.ts';

/** What is wrong with a check, in Mesos' words, or `undefined`. */
export function checkProblem(check: CheckInfo): string | undefined {
  const { type, command, http, tcp } = check;
  if (type === undefined) return "CheckInfo must specify 'type'";
  switch (type) {
    case 'COMMAND': {
      if (command === undefined) return "Expecting 'command' to be set for COMMAND check";
      const problem = runProblem(command.command, 'Command check', 'Check');
      if (problem !== undefined) return problem;
      break;
    }
    case 'HTTP':
      if (http === undefined) return "Expecting 'http' to be set for HTTP check";
      if (isNoPath(http.path)) return `The path '${http.path}' of HTTP check must start with '/'`;
      break;
    case 'TCP':
      if (tcp === undefined) return "Expecting 'tcp' to be set for TCP check";
      break;
    case 'UNKNOWN':
      return "'UNKNOWN' is not a valid check type";
  }
  const { delay_seconds, interval_seconds, timeout_seconds } = check;
  return negativeProblem({ delay_seconds, interval_seconds, timeout_seconds });
}

/** What is wrong with a health check, in Mesos' words, or `undefined`. */
export function healthCheckProblem(check: HealthCheck): string | undefined {
  const { type, command, http, tcp } = check;
  if (type === undefined) return "HealthCheck must specify 'type'";
  switch (type) {
    case 'COMMAND': {
      if (command === undefined) return "Expecting 'command' to be set for COMMAND health check";
      const problem = runProblem(command, 'Command health check', 'Health check');
      if (problem !== undefined) return problem;
      break;
    }
    case 'HTTP':
      if (http === undefined) return "Expecting 'http' to be set for HTTP health check";
      if (http.scheme !== undefined && http.scheme !== 'http' && http.scheme !== 'https') {
        return `Unsupported HTTP health check scheme: '${http.scheme}'`;
      }
      if (isNoPath(http.path)) {
        return `The path '${http.path}' of HTTP health check must start with '/'`;
      }
      break;
    case 'TCP':
      if (tcp === undefined) return "Expecting 'tcp' to be set for TCP health check";
      break;
    case 'UNKNOWN':
      return "'UNKNOWN' is not a valid health check type";
  }
  const { delay_seconds, grace_period_seconds, interval_seconds, timeout_seconds } = check;
  return negativeProblem({
    delay_seconds,
    grace_period_seconds,
    interval_seconds,
    timeout_seconds,
  });
}

function runProblem(command: CommandInfo, what: string, whose: string): string | undefined {
  if (command.value === undefined) {
    const missing = (command.shell ?? true) ? "'shell command'" : "'executable path'";
    return `${what} must contain ${missing}`;
  }
  const problem = commandProblem(command);
  return problem && `${whose}'s \`CommandInfo\` is invalid: ${problem}`;
}

function isNoPath(path: string | undefined): boolean {
  return path !== undefined && !path.startsWith('/');
}

/** Of several durations; looked at in their order. */
function negativeProblem(
  seconds: Readonly<Record<string, number | undefined>>,
): string | undefined {
  const negative = Object.entries(seconds).find(([, value]) => (value ?? 0) < 0);
  return negative && `Expecting '${negative[0]}' to be non-negative`;
}
