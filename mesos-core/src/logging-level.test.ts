import { type Logger, silentLogger } from '@factory/runtime';
import { VirtualClock } from '@factory/runtime/simulated';
import { describe, expect, it } from 'vitest';
import { atLeast, LoggingLevel } from './logging-level.ts';

function recorder(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = [];
  const info = (_fields: object, message: string): void => void said.push(message);
  const logger: Logger = { ...silentLogger, info, child: () => logger };
  return { logger, said };
}

describe('the logging level', () => {
  it('lets out what is for debugging, for as long as was asked for', async () => {
    const clock = new VirtualClock();
    const level = new LoggingLevel(clock);
    const { logger, said } = recorder();
    const log = level.logger(logger).child({ part: 'one' });
    log.debug({}, 'before');
    level.set(1, 10_000);
    log.debug({}, 'meanwhile');
    await clock.run(10_001);
    log.debug({}, 'after');
    expect(said).toEqual(['meanwhile']);
    expect(level.level).toBe(0);
  });

  it('is set by the older endpoint too, and refuses what is no level', () => {
    const level = new LoggingLevel(new VirtualClock());
    level.toggle(new URLSearchParams('level=2&duration=5mins'));
    expect(level.level).toBe(2);
    level.toggle(new URLSearchParams(''));
    expect(level.level).toBe(2);
    for (const query of ['level=4&duration=1secs', 'level=x&duration=1secs', 'level=1']) {
      expect(() => level.toggle(new URLSearchParams(query))).toThrow();
    }
    level.close();
  });
});

describe('--logging_level', () => {
  it.each([
    ['INFO', ['info', 'warn', 'error']],
    ['WARNING', ['warn', 'error']],
    ['ERROR', ['error']],
  ] as const)('%s lets out what matters as much', (level, expected) => {
    const said: string[] = [];
    const say = (_fields: object, message: string): void => void said.push(message);
    const all: Logger = { debug: say, info: say, warn: say, error: say, child: () => all };
    const log = atLeast(all, level).child({ part: 'one' });
    for (const each of ['info', 'warn', 'error'] as const) log[each]({}, each);
    expect(said).toEqual(expected);
  });
});
