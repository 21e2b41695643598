import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { createProgress } from './progress.ts';

/** A stream that keeps what is written; a terminal of 20 columns if asked. */
function sink(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 20 });
  const text = (): string => String(stream.read() ?? '');
  return { stream: stream as unknown as NodeJS.WriteStream, text };
}

describe('progress', () => {
  it('is a line a step where there is no terminal, without repetitions', async () => {
    const clock = new VirtualClock();
    const { stream, text } = sink(false);
    const progress = createProgress(clock, stream);
    progress.step('one');
    await clock.run(1_500);
    progress.step('one');
    progress.step('two');
    progress.done('all');
    expect(stripVTControlCharacters(text())).toBe('  0.0 s  one\n  1.5 s  two\n✓ all (1.5 s)\n');
  });

  it('is one line that changes on a terminal', () => {
    const { stream, text } = sink(true);
    const progress = createProgress(new VirtualClock(), stream);
    progress.step('one');
    progress.step('two');
    progress.end();
    const written = text();
    expect(written.split('\n')).toHaveLength(2);
    expect(written).toContain('\r\u001B[2K');
  });
});
