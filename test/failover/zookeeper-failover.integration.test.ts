import { describe, expect, it } from 'vitest';
import { runFailover } from './run.ts';

describe('masters with ZooKeeper', () => {
  it('fail over when the leader is cut off from it, and no task is lost or doubled', async () => {
    const { code, output } = await runFailover(2);
    expect(output).not.toContain('FAIL');
    expect(output).toContain('round 2: another leads');
    expect(code).toBe(0);
  }, 400_000);
});
