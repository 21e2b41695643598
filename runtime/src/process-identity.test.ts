import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { identifyProcess, isSameProcessAlive, parseProcStat } from './process-identity.ts';

describe('process identity', () => {
  it('knows a process while it lives, and only that one', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const identity = await identifyProcess(child.pid ?? 0);
    if (identity === undefined) throw new Error('sleep did not start');
    expect(await isSameProcessAlive(identity)).toBe(true);
    // The same pid born at another time, or in another boot, is somebody else.
    expect(await isSameProcessAlive({ ...identity, startTicks: identity.startTicks - 1 })).toBe(
      false,
    );
    expect(await isSameProcessAlive({ ...identity, bootId: 'other' })).toBe(false);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    expect(await isSameProcessAlive(identity)).toBe(false);
    expect(await identifyProcess(identity.pid)).toBeUndefined();
  });

  it.each([0, -1, Number.NaN, 1.5, 2 ** 22 + 1])('finds no process %d', async (pid) => {
    expect(await identifyProcess(pid)).toBeUndefined();
  });

  it('counts fields from the last bracket of the command', () => {
    const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ');
    expect(parseProcStat(`12 (a) b) (c) S ${rest}\n`)).toEqual({ state: 'S', startTicks: 22 });
    expect(() => parseProcStat('nonsense')).toThrow('/proc/<pid>/stat');
  });
});
