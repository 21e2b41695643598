import type { ClusterId } from '@factory/contracts';
import { describe, expect, it } from 'vitest';
import { aVm } from '../testing/records.ts';
import { decideRefusal } from './refusals.ts';

const vm = { ...aVm(1), generation: 2 };
const others = ['clu_b'] as ClusterId[];
const refused = { kind: 'refused', generation: 2 } as const;
const unknown = { kind: 'unknown', generation: 2 } as const;

describe('what a cluster refuses', () => {
  it('makes the machine fail', () => {
    expect(decideRefusal(vm, refused, others)).toBe('fail');
    expect(decideRefusal({ ...vm, state: 'running', revision: 9 }, refused, others)).toBe('fail');
  });

  it('means nothing for a wish that was replaced, or a machine that is gone', () => {
    expect(decideRefusal({ ...vm, generation: 3 }, refused, others)).toBe('none');
    expect(decideRefusal({ ...vm, state: 'deleted' }, unknown, others)).toBe('none');
  });

  it('is given again when the cluster has lost it, so that what is left on a host is found', () => {
    expect(decideRefusal({ ...vm, revision: 9 }, unknown, others)).toBe('giveAgain');
    expect(decideRefusal({ ...vm, revision: 9, desired: 'deleted' }, unknown, others)).toBe(
      'giveAgain',
    );
  });

  it('is gone when it was to be deleted and no cluster ever had it', () => {
    expect(decideRefusal({ ...vm, desired: 'deleted' }, unknown, others)).toBe('gone');
    expect(decideRefusal({ ...vm, desired: 'deleted' }, refused, others)).toBe('gone');
  });

  it('is planned elsewhere when it was being given, and another may be asked', () => {
    const first = { ...vm, generation: 1 };
    const ofFirst = { kind: 'refused', generation: 1 } as const;
    expect(decideRefusal(first, ofFirst, others)).toBe('elsewhere');
    expect(decideRefusal(first, ofFirst, [])).toBe('fail');
    const excluded = others.map((clusterId) => ({ clusterId, reason: 'no' }));
    expect(decideRefusal({ ...first, excluded }, ofFirst, others)).toBe('fail');
    expect(decideRefusal({ ...first, revision: 3 }, ofFirst, others)).toBe('fail');
    expect(decideRefusal({ ...first, volumes: [{} as never] }, ofFirst, others)).toBe('fail');
  });
});
