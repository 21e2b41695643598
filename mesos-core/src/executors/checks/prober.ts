import type { CommandInfo } from '../../protocol/index.ts';
import { exitCodeOf } from '../task/exit-status.ts';
import type { Probe, ProbeResult } from './check-definition.ts';
import type { Prober } from './check-loop.ts';

/** Looks over the network. Both reject when they can't look, or `signal` aborts. */
export interface NetworkProbes {
  /** The status of the answer to a GET, redirects followed. */
  http(probe: Extract<Probe, { kind: 'http' }>, host: string, signal: AbortSignal): Promise<number>;
  /** Whether a connection could be made. */
  tcp(probe: Extract<Probe, { kind: 'tcp' }>, host: string, signal: AbortSignal): Promise<boolean>;
}

/** Runs a command in the task's container; gives its status as of wait(2). */
export type CheckCommand = (
  command: CommandInfo,
  signal: AbortSignal,
) => Promise<number | undefined>;

const LOOPBACK = { IPv4: '127.0.0.1', IPv6: '::1' } as const;

/**
 * Looks at one task. It is reached by the loopback address, as in Mesos, or by `address` where the
 * task has a network of its own.
 */
export function createProber(options: {
  readonly network: NetworkProbes;
  readonly runCommand: CheckCommand;
  readonly address?: string | undefined;
}): Prober {
  const { network, runCommand, address } = options;
  return async (probe, signal): Promise<ProbeResult> => {
    switch (probe.kind) {
      case 'command': {
        const status = await runCommand(probe.command, signal);
        const exitCode = status === undefined ? undefined : exitCodeOf(status);
        if (exitCode !== undefined) return { kind: 'exited', exitCode };
        return { kind: 'failed', why: 'the command did not exit by itself' };
      }
      case 'http': {
        const statusCode = await network.http(probe, address ?? LOOPBACK[probe.protocol], signal);
        return { kind: 'answered', statusCode };
      }
      case 'tcp': {
        const succeeded = await network.tcp(probe, address ?? LOOPBACK[probe.protocol], signal);
        return { kind: 'connected', succeeded };
      }
    }
  };
}
