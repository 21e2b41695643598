import type { FrameworkInfo } from 'mesos-core/protocol';
import { describe, expect, it } from 'vitest';
import { findFramework } from './framework-recovery.ts';

const owner = { role: 'vms', principal: 'vm-scheduler' };
const info = (id: string, changes: Partial<FrameworkInfo> = {}): FrameworkInfo => ({
  ...{ user: 'root', name: 'vm-scheduler', principal: 'vm-scheduler', roles: ['vms'] },
  ...{ id: { value: id }, ...changes },
});
const framework = (framework_info: FrameworkInfo, connected: boolean, registeredAt = 1) => ({
  ...{ framework_info, connected, active: connected, recovered: false },
  registered_time: { nanoseconds: registeredAt },
});

describe('the framework of a scheduler that lost its store', () => {
  it('is the one that was left last', () => {
    const frameworks = [framework(info('a'), false, 1), framework(info('b'), false, 2)];
    expect(findFramework({ frameworks }, owner)).toEqual({ kind: 'left', frameworkId: 'b' });
  });

  it('is also known from agents after a new master was elected', () => {
    expect(findFramework({ recovered_frameworks: [info('a')] }, owner)).toEqual({
      kind: 'left',
      frameworkId: 'a',
    });
  });

  it('is not taken from a scheduler that lives', () => {
    const frameworks = [framework(info('a'), true)];
    expect(findFramework({ frameworks }, owner)).toEqual({ kind: 'alive' });
  });

  it('is never one of another name, role or principal, or one that has ended', () => {
    const frameworks = [
      framework(info('a', { name: 'other' }), false),
      framework(info('b', { roles: ['other'] }), false),
      framework(info('c', { principal: 'other' }), false),
    ];
    const completed_frameworks = [framework(info('d'), false)];
    expect(findFramework({ frameworks, completed_frameworks }, owner)).toEqual({ kind: 'none' });
  });
});
