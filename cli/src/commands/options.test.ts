import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { batchCommand } from './batch.ts';
import { collect, integer, UsageError } from './options.ts';
import { upCommand } from './up.ts';
import { vmCommand } from './vm.ts';

/** Why a command line is refused, before anything is done. */
async function refusal(command: Command, ...args: readonly string[]): Promise<string> {
  let said = '';
  const quiet = (each: Command): void => {
    each.exitOverride();
    each.configureOutput({
      writeErr: (text) => {
        said += text;
      },
    });
    for (const child of each.commands) quiet(child);
  };
  const program = new Command('factory').addCommand(command);
  quiet(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return said;
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('options', () => {
  it.each(['0', '-1', '1.5', 'x', '', '1e3', ' 1', '99999999999999999999'])(
    'refuse %j as a count',
    (text) => {
      expect(() => integer(1)(text)).toThrow('whole number of at least 1');
    },
  );

  it('take whole numbers within their bounds', () => {
    expect(integer(1)('8')).toBe(8);
    expect(integer(0, 10)('10')).toBe(10);
    expect(() => integer(0, 10)('11')).toThrow('from 0 to 10');
  });

  it('collect what is given several times', () => {
    expect(collect('b', collect('a', undefined))).toEqual(['a', 'b']);
  });
});

describe('a command line', () => {
  const create = ['batch', 'create', '--name', 'a', '--image', 'micro'];

  it('is refused with the option at fault', async () => {
    expect(await refusal(batchCommand(), 'batch', 'create', '--image', 'x')).toContain('--name');
    expect(await refusal(batchCommand(), ...create, '--count', '0')).toContain('--count');
    expect(await refusal(batchCommand(), ...create, '--memory', '1G')).toContain('--memory');
    expect(await refusal(batchCommand(), ...create, '--shape', '8')).toContain('8x1024');
    expect(await refusal(batchCommand(), ...create, '-o', 'xml')).toContain('table, wide, json');
    expect(await refusal(batchCommand(), ...create, '--colour', 'red')).toContain('--colour');
    expect(await refusal(upCommand(), 'up', '--port', '70000')).toContain('65535');
    expect(await refusal(upCommand(), 'up', '--hypervisor', 'xen')).toContain('libvirt, simulated');
    expect(await refusal(vmCommand(), 'vm', 'stop')).toContain("missing required argument 'vm'");
  });
});
