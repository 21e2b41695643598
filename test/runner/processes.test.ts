import { describe, expect, it } from 'vitest';
import { endLeftBehind, run } from './processes.ts';

/** What was written, and the exit code. */
async function runShell(script: string, limitMs = 20_000) {
  const output: string[] = [];
  const write = (text: string): void => void output.push(text);
  const code = await run('/bin/sh', ['-c', script], { limitMs, write });
  return { code, output: output.join('') };
}

async function leftBehind(): Promise<string> {
  const output: string[] = [];
  await endLeftBehind((text) => void output.push(text), 100);
  return output.join('');
}

describe('a program that is run by the tests', () => {
  it('gives its output and its exit code', async () => {
    expect(await runShell('echo one; echo two >&2; exit 3')).toEqual({
      code: 3,
      output: expect.stringMatching(/one\n|two\n/),
    });
  });

  it('is ended at its limit, and says so', async () => {
    const { code, output } = await runShell('echo begun; exec sleep 600', 1_000);
    expect(code).toBe(124);
    expect(output).toContain('not done after 1 s');
    expect(await leftBehind()).toBe('');
  });

  it('holds up nobody by a process that it leaves behind, which is ended', async () => {
    // It has our end of the pipe, and would have kept it for ten minutes.
    expect(await runShell('sleep 600 & echo done')).toEqual({ code: 0, output: 'done\n' });
    expect(await leftBehind()).toMatch(/left behind, ended now: \d+ sleep 600\n/);
    expect(await leftBehind()).toBe('');
  });
});
