import type {
  CheckInfo,
  CheckStatusInfo,
  CommandInfo,
  HealthCheck,
  NetworkInfoProtocol,
} from '../../protocol/index.ts';

/** What is looked at. */
export type Probe =
  | { readonly kind: 'command'; readonly command: CommandInfo }
  | {
      readonly kind: 'http';
      readonly scheme: 'http' | 'https';
      readonly port: number;
      readonly path: string;
      readonly protocol: NetworkInfoProtocol;
    }
  | { readonly kind: 'tcp'; readonly port: number; readonly protocol: NetworkInfoProtocol };

/** When it is looked at. */
export interface CheckSchedule {
  /** From the start of the task to the first look. */
  readonly delayMs: number;
  /** From the end of one look to the beginning of the next. */
  readonly intervalMs: number;
  /** A look that takes longer has failed; 0: it may take for ever. */
  readonly timeoutMs: number;
}

/** What became of one look. */
export type ProbeResult =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'answered'; readonly statusCode: number }
  | { readonly kind: 'connected'; readonly succeeded: boolean }
  /** It could not be made, or did not end in time. */
  | { readonly kind: 'failed'; readonly why: string };

/** Mesos' defaults, in seconds (mesos.proto, CheckInfo and HealthCheck). */
const DELAY_SECONDS = 15;
const INTERVAL_SECONDS = 10;
const TIMEOUT_SECONDS = 20;

/** When a check or health check looks. */
export function scheduleOf(check: CheckInfo | HealthCheck): CheckSchedule {
  return {
    delayMs: (check.delay_seconds ?? DELAY_SECONDS) * 1000,
    intervalMs: (check.interval_seconds ?? INTERVAL_SECONDS) * 1000,
    timeoutMs: (check.timeout_seconds ?? TIMEOUT_SECONDS) * 1000,
  };
}

/** What a general check looks at; `undefined` when it does not say. */
export function probeOfCheck(check: CheckInfo): Probe | undefined {
  const { command, http, tcp } = check;
  switch (check.type) {
    case 'COMMAND':
      return command && { kind: 'command', command: command.command };
    case 'HTTP':
      return http && httpProbe(http.port, http.path, 'http', 'IPv4');
    case 'TCP':
      return tcp && { kind: 'tcp', port: tcp.port, protocol: 'IPv4' };
    default:
      return undefined;
  }
}

/** What a health check looks at; without a type, the part that is there says it (Mesos < 1.0). */
export function probeOfHealthCheck(check: HealthCheck): Probe | undefined {
  const { command, http, tcp } = check;
  const wants = (type: HealthCheck['type']): boolean => (check.type ?? type) === type;
  if (command !== undefined && wants('COMMAND')) return { kind: 'command', command };
  if (http !== undefined && wants('HTTP')) {
    const scheme = http.scheme === 'https' ? 'https' : 'http';
    return httpProbe(http.port, http.path, scheme, http.protocol ?? 'IPv4');
  }
  if (tcp !== undefined && wants('TCP')) {
    return { kind: 'tcp', port: tcp.port, protocol: tcp.protocol ?? 'IPv4' };
  }
  return undefined;
}

function httpProbe(
  port: number,
  path: string | undefined,
  scheme: 'http' | 'https',
  protocol: NetworkInfoProtocol,
): Probe {
  return { kind: 'http', scheme, port, path: path ?? '/', protocol };
}

/** The status of a check that has not given a result (yet): its type, and an empty result. */
export function emptyCheckStatus(check: CheckInfo): CheckStatusInfo {
  switch (check.type) {
    case 'COMMAND':
      return { type: 'COMMAND', command: {} };
    case 'HTTP':
      return { type: 'HTTP', http: {} };
    case 'TCP':
      return { type: 'TCP', tcp: {} };
    default:
      return {};
  }
}

/** The status that a look gives; a look that failed leaves the result empty, as in Mesos. */
export function checkStatusOf(check: CheckInfo, result: ProbeResult): CheckStatusInfo {
  switch (result.kind) {
    case 'exited':
      return { type: 'COMMAND', command: { exit_code: result.exitCode } };
    case 'answered':
      return { type: 'HTTP', http: { status_code: result.statusCode } };
    case 'connected':
      return { type: 'TCP', tcp: { succeeded: result.succeeded } };
    case 'failed':
      return emptyCheckStatus(check);
  }
}

/** Whether a look says that the task is well: exit code 0, a status of 200 to 399, a connection. */
export function isHealthy(result: ProbeResult): boolean {
  switch (result.kind) {
    case 'exited':
      return result.exitCode === 0;
    case 'answered':
      return result.statusCode >= 200 && result.statusCode < 400;
    case 'connected':
      return result.succeeded;
    case 'failed':
      return false;
  }
}
