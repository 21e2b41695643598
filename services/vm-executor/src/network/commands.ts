import { spawn } from 'node:child_process';
import { type Clock, withDeadline } from '@factory/runtime';
import { VmFailure } from '../failures.ts';

/** Runs a command of the host, and gives what it prints. */
export type RunCommand = (
  argv: readonly [string, ...string[]],
  options: { readonly signal: AbortSignal; readonly input?: string },
) => Promise<string>;

/** None of our commands takes a tenth of this; one that does hangs. */
const COMMAND_TIMEOUT_MS = 10_000;

/**
 * Runs commands by `spawn`; each is killed at its deadline or when the signal aborts, and not waited
 * for then. They throw VmFailure `NETWORK_ERROR` with what the command said; transient when it took
 * too long.
 * @param prefix what each command begins with, such as `nsenter` into a host of a test
 */
export function createCommands(options: {
  readonly clock: Clock;
  readonly prefix?: readonly string[];
}): RunCommand {
  const { clock, prefix = [] } = options;
  return async (argv, { signal, input }) => {
    const [program, ...args] = [...prefix, ...argv];
    const what = argv.slice(0, 6).join(' ');
    signal.throwIfAborted();
    try {
      return await withDeadline(clock, what, COMMAND_TIMEOUT_MS, (deadline) =>
        runToEnd(program ?? argv[0], args, input ?? '', AbortSignal.any([deadline, signal])),
      );
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      if (cause instanceof CommandError)
        throw new VmFailure('NETWORK_ERROR', `${what}: ${cause.message}`, { cause });
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new VmFailure('NETWORK_ERROR', message, { cause, isTransient: true });
    }
  };
}

/** A command ended, and not well. */
class CommandError extends Error {
  readonly code = 'FACTORY_ERR_COMMAND';
}

async function runToEnd(
  program: string,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(program, args, { stdio: 'pipe', signal, killSignal: 'SIGKILL' });
  const [output, errors]: [string[], string[]] = [[], []];
  child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  // Comes at once when the signal aborts, whether or not the child can be killed.
  child.on('error', reject);
  child.on('close', (code) => {
    if (code === 0) resolve(output.join(''));
    else reject(new CommandError(`exit code ${code}: ${errors.join('').trim().slice(0, 2000)}`));
  });
  // EPIPE when the command ended early; its exit code tells why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  return await promise;
}
