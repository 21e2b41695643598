import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { standing, withStanding } from './standing.ts';
import { VM_REASONS, VM_STATES } from './vm-states.ts';

const schema = Compile(withStanding({}));
const anyReason = fc.option(fc.constantFrom(...VM_REASONS));
const anyMessage = fc.option(fc.string({ maxLength: 4096 }));

describe('where a VM stands', () => {
  it('is said with a reason and words whenever it has failed, whatever is known', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...VM_STATES),
        anyReason,
        anyMessage,
        (state, reason, message) => {
          const said = standing(state, reason, message);
          expect(schema.Check(said)).toBe(true);
          if (said.state !== 'failed') expect(said).toEqual({ state, reason, message });
          else expect([said.reason, said.message]).not.toContain(null);
          if (reason !== null) expect(said.reason).toBe(reason);
        },
      ),
    );
  });

  it.each([
    { state: 'failed', reason: null, message: 'words' },
    { state: 'failed', reason: 'DISK_FULL', message: null },
    { state: 'failed', reason: 'DISK_FULL', message: '' },
    { state: 'running', reason: 'NO_SUCH_REASON', message: null },
  ])('is refused where it says nothing: %j', (said) => {
    expect(schema.Check(said)).toBe(false);
  });
});
