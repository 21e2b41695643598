import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const FIXTURE = fileURLToPath(new URL('fixtures/service.ts', import.meta.url));

/**
 * Runs the fixture; sends `signal` once it has started, and SIGTERM once it says `until`; gives its
 * exit code and log.
 */
async function run(mode: string, signal?: NodeJS.Signals, until?: RegExp) {
  const child = spawn(process.execPath, [FIXTURE, mode], {
    stdio: ['ignore', 'ignore', 'pipe'],
    // With one thread for writes, order doesn't depend on how many the machine would have.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const before = log;
    log += chunk.toString();
    const isStarted = log.includes('"started"') && !before.includes('"started"');
    if (isStarted && signal !== undefined) child.kill(signal);
    if (until?.test(log) && !until.test(before)) child.kill('SIGTERM');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, log };
}

describe('runService', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('closes and exits with 0 on %s', async (signal) => {
    const { code, log } = await run('normal', signal);
    expect(log).toContain('work stopped');
    expect(log).toContain('closed down');
    expect(code).toBe(0);
  });

  it('has written its whole log, in order, before it exits', async () => {
    const { log } = await run('talks', 'SIGTERM');
    const lines = [...log.matchAll(/"n":(\d+)/g)].map((match) => Number(match[1]));
    expect(lines).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(log.trimEnd()).toMatch(/"closed"}$/);
  });

  it('leaves for good on SIGUSR1, then closes and exits with 0', async () => {
    const { code, log } = await run('leaves', 'SIGUSR1');
    expect(log).toMatch(/left for good[\s\S]*closed down/);
    expect(code).toBe(0);
  });

  it('ignores SIGUSR1 where it has no meaning, and never opens a debugger', async () => {
    const { code, log } = await run('normal', 'SIGUSR1', /SIGUSR1 is of no meaning/);
    expect(log).not.toContain('Debugger listening');
    expect(log).toContain('closed down');
    expect(code).toBe(0);
  });

  it('exits with 1 when the start fails, and says why', async () => {
    const { code, log } = await run('fails-to-start');
    expect(code).toBe(1);
    expect(log).toContain('no start today');
  });

  it('says what can be mended without a stack', async () => {
    const { code, log } = await run('is-told-wrong');
    expect(code).toBe(1);
    expect(JSON.parse(log)).toMatchObject({
      msg: 'could not start',
      code: 'FACTORY_ERR_START',
      why: 'port 1 is in use: choose another',
    });
    expect(log).not.toContain('stack');
  });

  it('closes and exits with 1 on an uncaught error', async () => {
    const { code, log } = await run('throws-later');
    expect(code).toBe(1);
    expect(log).toContain('out of the blue');
    expect(log).toContain('closed down');
  });

  it('exits with 1 when closing takes longer than the grace period', async () => {
    const startedMs = performance.now();
    const { code, log } = await run('hangs', 'SIGTERM');
    expect(code).toBe(1);
    expect(log).toContain('did not close in time');
    expect(performance.now() - startedMs).toBeLessThan(10_000);
  });

  it('exits with 1 when closing fails', async () => {
    const { code, log } = await run('fails-to-close', 'SIGTERM');
    expect(code).toBe(1);
    expect(log).toContain('no end today');
  });
});
