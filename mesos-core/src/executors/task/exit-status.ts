/** Names of signals as strsignal(3) of glibc gives them; they appear in messages to frameworks. */
const SIGNAL_NAMES: Readonly<Record<number, string>> = {
  1: 'Hangup',
  2: 'Interrupt',
  3: 'Quit',
  4: 'Illegal instruction',
  5: 'Trace/breakpoint trap',
  6: 'Aborted',
  7: 'Bus error',
  8: 'Floating point exception',
  9: 'Killed',
  10: 'User defined signal 1',
  11: 'Segmentation fault',
  12: 'User defined signal 2',
  13: 'Broken pipe',
  14: 'Alarm clock',
  15: 'Terminated',
  16: 'Stack fault',
  24: 'CPU time limit exceeded',
  25: 'File size limit exceeded',
  31: 'Bad system call',
};

const SIGNAL_BITS = 0x7f;
const CORE_BIT = 0x80;

/** Whether a status as of wait(2) is that of a process that exited with 0. */
export function isSuccess(status: number): boolean {
  return status === 0;
}

/** The exit code in a status as of wait(2), `undefined` when a signal ended the process. */
export function exitCodeOf(status: number): number | undefined {
  return (status & SIGNAL_BITS) === 0 ? (status >> 8) & 0xff : undefined;
}

/** A status as of wait(2) in Mesos' words: `exited with status 3`, `terminated with signal Killed`. */
export function describeExit(status: number): string {
  const exitCode = exitCodeOf(status);
  if (exitCode !== undefined) return `exited with status ${exitCode}`;
  const signal = status & SIGNAL_BITS;
  const name = SIGNAL_NAMES[signal] ?? `Unknown signal ${signal}`;
  return `terminated with signal ${name}${(status & CORE_BIT) === 0 ? '' : ' (core dumped)'}`;
}
