import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MASTER_MAIN = fileURLToPath(new URL('../master/main.ts', import.meta.url));
const AGENT_MAIN = fileURLToPath(new URL('../agent/main.ts', import.meta.url));

/** Starts a real master with these flags; what it says goes to the terminal. */
export function startMasterProcess(flags: readonly string[]): ChildProcess {
  return start(MASTER_MAIN, flags);
}

/** Starts a real agent with these flags; what it says goes to the terminal. */
export function startAgentProcess(flags: readonly string[]): ChildProcess {
  return start(AGENT_MAIN, flags);
}

function start(main: string, flags: readonly string[]): ChildProcess {
  const env = { ...process.env, FACTORY_LOG_LEVEL: 'error' };
  return spawn(process.execPath, [main, ...flags], {
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

/** Sends a signal to a process that may have ended. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already, which is what was wanted.
  }
}
