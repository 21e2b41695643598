import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { systemClock, waitFor } from '@factory/runtime';
import { describe, expect, it } from 'vitest';

const BIN = join(import.meta.dirname, 'mesos-core.ts');

function start(args: readonly string[]) {
  return spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function run(...args: readonly string[]) {
  const child = start(args);
  const exited = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await exited;
  return { code, stdout, stderr };
}

describe('the command mesos-core', () => {
  it.each(['master', 'agent'])('starts the %s, with its flags', async (program) => {
    const { code, stdout, stderr } = await run(program, '--version');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^mesos \d+\.\d+\.\d+/);
  });

  it('becomes the program under the process id that was started', async () => {
    const child = start(['master', '--port=0', '--registry=in_memory']);
    const exited = once(child, 'exit');
    const commandLine = async (): Promise<string | undefined> => {
      const line = await readFile(`/proc/${child.pid}/cmdline`, 'utf8');
      return line.includes('src/master/main.ts') ? line : undefined;
    };
    try {
      const line = await waitFor(systemClock, 'the master', 10_000, commandLine, 20);
      expect(line.split('\0')).toContain('--registry=in_memory');
    } finally {
      child.kill('SIGKILL');
      await exited;
    }
  });

  it('says how it is used', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stderr: '' });
    const { code, stderr } = await run();
    expect(code).toBe(2);
    expect(stderr).toContain('usage: mesos-core master [flags]');
  });

  it.each(['slave', 'constructor', '../master'])('knows no other program: %s', async (name) => {
    const { code, stderr } = await run(name);
    expect(code).toBe(2);
    expect(stderr).toContain(`no such command: ${name}`);
  });
});
