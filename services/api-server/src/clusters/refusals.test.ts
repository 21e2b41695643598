import { describe, expect, it } from 'vitest';
import { decideRefusal } from './refusals.ts';

const vm = { state: 'scheduled', desired: 'running', generation: 2, revision: 0 } as const;
const refused = { kind: 'refused', generation: 2 } as const;
const unknown = { kind: 'unknown', generation: 2 } as const;

describe('what a cluster refuses', () => {
  it('makes the machine fail', () => {
    expect(decideRefusal(vm, refused)).toBe('fail');
    expect(decideRefusal({ ...vm, state: 'running', revision: 9 }, refused)).toBe('fail');
  });

  it('means nothing for a wish that was replaced, or a machine that is gone', () => {
    expect(decideRefusal({ ...vm, generation: 3 }, refused)).toBe('none');
    expect(decideRefusal({ ...vm, state: 'deleted' }, unknown)).toBe('none');
  });

  it('is given again when the cluster has lost it, so that what is left on a host is found', () => {
    expect(decideRefusal({ ...vm, revision: 9 }, unknown)).toBe('giveAgain');
    expect(decideRefusal({ ...vm, revision: 9, desired: 'deleted' }, unknown)).toBe('giveAgain');
  });

  it('is gone when it was to be deleted and no cluster ever had it', () => {
    expect(decideRefusal({ ...vm, desired: 'deleted' }, unknown)).toBe('gone');
    expect(decideRefusal({ ...vm, desired: 'deleted' }, refused)).toBe('gone');
  });
});
