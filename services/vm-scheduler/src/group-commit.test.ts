import { describe, expect, it } from 'vitest';
import { GroupCommit } from './group-commit.ts';

/** Writes that end when the test says so. */
function setUp() {
  const writes: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const commits = new GroupCommit(() => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    writes.push({ resolve, reject });
    return promise;
  });
  return { commits, writes };
}

const turn = async (): Promise<void> => {
  for (let step = 0; step < 10; step += 1) await Promise.resolve();
};

describe('group commit', () => {
  it('writes at once, and gathers what comes meanwhile into one more write', async () => {
    const { commits, writes } = setUp();
    const first = commits.commit();
    const others = [commits.commit(), commits.commit(), commits.commit()];
    expect(writes).toHaveLength(1);
    writes[0]?.resolve();
    await first;
    await turn();
    expect(writes).toHaveLength(2);
    writes[1]?.resolve();
    await Promise.all(others);
    await commits.pending();
    expect(writes).toHaveLength(2);
  });

  it('tells everyone of a write that it failed, and goes on', async () => {
    const { commits, writes } = setUp();
    const first = commits.commit();
    const second = commits.commit();
    const third = commits.commit();
    writes[0]?.reject(new Error('disk full'));
    await expect(first).rejects.toThrow('disk full');
    await turn();
    writes[1]?.reject(new Error('still full'));
    await expect(second).rejects.toThrow('still full');
    await expect(third).rejects.toThrow('still full');
    const fourth = commits.commit();
    writes[2]?.resolve();
    await fourth;
  });

  it('waits for writes under way without starting one', async () => {
    const { commits, writes } = setUp();
    await commits.pending();
    expect(writes).toHaveLength(0);
    const first = commits.commit();
    let isOver = false;
    const pending = commits.pending().then(() => {
      isOver = true;
    });
    await turn();
    expect(isOver).toBe(false);
    writes[0]?.resolve();
    await Promise.all([first, pending]);
    expect(writes).toHaveLength(1);
  });
});
