import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock, waitFor } from '../clock.ts';
import { silentLogger } from '../log.ts';
import { createStorageHelper, type StorageHelper } from './storage-helper.ts';

/** Real helpers take this long at most on a busy machine. */
const PATIENT = { timeoutMs: 15_000 };
/** For work that is known to hang. */
const SHORT = { timeoutMs: 300 };

describe('a storage helper', () => {
  let folder: string;
  let fifo: string;
  let helper: StorageHelper;
  let unkillable: number[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'storage-helper-'));
    // Opening a FIFO that nobody writes to blocks, as a file on a hung mount does.
    fifo = join(folder, 'hung');
    execFileSync('mkfifo', [fifo]);
    helper = createStorageHelper({ clock: systemClock, logger: silentLogger, processesMax: 2 });
  });
  afterEach(async () => {
    helper.close();
    endUnkillable();
    await rm(folder, { recursive: true });
  });
  const endUnkillable = (): void => {
    for (const processGroup of unkillable) process.kill(-processGroup, 'SIGKILL');
    unkillable = [];
  };
  const hang = (): Promise<unknown> => helper.call('readText', { path: fifo }, SHORT);

  it('reads, writes, lists, renames and removes files', async () => {
    const path = join(folder, 'sub/a.txt');
    await helper.call('makeFolder', { path: join(folder, 'sub') }, PATIENT);
    expect(await helper.call('readText', { path }, PATIENT)).toBeNull();
    expect(await helper.call('size', { path }, PATIENT)).toBeNull();
    await helper.call('writeText', { path, text: 'täxt' }, PATIENT);
    expect(await helper.call('readText', { path }, PATIENT)).toBe('täxt');
    expect(await helper.call('size', { path }, PATIENT)).toBe(5);
    const part = { path, offset: 3, lengthMax: 100 };
    expect(await helper.call('readBytes', part, PATIENT)).toBe(
      Buffer.from('xt').toString('base64'),
    );
    await helper.call('rename', { from: path, to: `${path}2` }, PATIENT);
    expect(await helper.call('list', { path: join(folder, 'sub') }, PATIENT)).toEqual(['a.txt2']);
    await helper.call('remove', { path: `${path}2` }, PATIENT);
    await helper.call('remove', { path: `${path}2` }, PATIENT);
    expect(await helper.call('list', { path: join(folder, 'none') }, PATIENT)).toEqual([]);
  });

  it('makes a file only where there is none, and a file of holes', async () => {
    const path = join(folder, 'lease');
    expect(await helper.call('createText', { path, text: 'one' }, PATIENT)).toBe(true);
    expect(await helper.call('createText', { path, text: 'two' }, PATIENT)).toBe(false);
    expect(await readFile(path, 'utf8')).toBe('one');
    const disk = join(folder, 'disk');
    await helper.call('makeSparse', { path: disk, sizeBytes: 1 << 30 }, PATIENT);
    expect(await stat(disk)).toMatchObject({ size: 1 << 30, blocks: 0 });
  });

  it("tells the system's error code", async () => {
    const copy = { from: join(folder, 'none'), to: join(folder, 'to'), sizeBytesMax: 1 };
    await expect(helper.call('copy', copy, PATIENT)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('copies with progress and checksum, and leaves holes holes', async () => {
    const content = Buffer.concat([randomBytes(20 << 20), Buffer.alloc(8 << 20)]);
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await writeFile(from, content);
    const progress: number[] = [];
    const copied = await helper.call(
      'copy',
      { from, to, sizeBytesMax: content.length },
      { ...PATIENT, onProgress: ({ doneBytes }) => progress.push(doneBytes) },
    );
    expect(copied).toEqual({
      sha256: createHash('sha256').update(content).digest('hex'),
      sizeBytes: content.length,
    });
    expect(content.equals(await readFile(to))).toBe(true);
    expect(progress).toEqual([8 << 20, 16 << 20, 24 << 20]);
    expect((await stat(to)).blocks * 512).toBeLessThan(21 << 20);
    await rm(to);
    await expect(helper.call('copy', { from, to, sizeBytesMax: 1000 }, PATIENT)).rejects.toThrow(
      'larger than 1000',
    );
  });

  it('takes a file part by part, whichever comes twice, and sums it up', async () => {
    const path = join(folder, 'parts');
    const put = (offset: number, text: string) =>
      helper.call(
        'writeBytes',
        { path, offset, base64: Buffer.from(text).toString('base64') },
        PATIENT,
      );
    expect(await put(0, 'one ')).toBe(4);
    expect(await put(4, 'two')).toBe(7);
    expect(await put(0, 'one ')).toBe(7);
    await expect(put(8, 'four')).rejects.toThrow('ends at 7, before 8');
    const sha256 = createHash('sha256').update('one two').digest('hex');
    expect(await helper.call('sum', { path }, PATIENT)).toEqual({ sha256, sizeBytes: 7 });
  });

  it('runs a program, whose memory and processor time the kernel bounds', async () => {
    const limits = { memoryBytesMax: 256 << 20, cpuSMax: 1, fileBytesMax: 0 };
    const shell = (script: string) =>
      helper.call('run', { program: 'sh', args: ['-c', script], ...limits }, PATIENT);
    expect(await shell('echo out; echo err >&2; exit 3')).toEqual({
      exitCode: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect(await shell('while :; do :; done')).toMatchObject({ exitCode: null });
    expect(await shell(`echo x > ${join(folder, 'written')}`)).not.toMatchObject({ exitCode: 0 });
  });

  it('gives up work that hangs, and goes on with another process', async () => {
    await expect(hang()).rejects.toMatchObject({ code: 'FACTORY_ERR_STORAGE_HANGS' });
    expect(await helper.call('list', { path: folder }, PATIENT)).toEqual(['hung']);
  });

  it('does not hold up others while work hangs', async () => {
    const hung = helper.call('readText', { path: fifo }, PATIENT).catch((error: unknown) => error);
    expect(await helper.call('list', { path: folder }, PATIENT)).toEqual(['hung']);
    helper.close();
    expect(await hung).toMatchObject({ code: expect.stringContaining('FACTORY_ERR_STORAGE') });
  });

  it('queues more work than it has processes, each with its own deadline', async () => {
    const calls = Array.from({ length: 20 }, () => helper.call('list', { path: folder }, PATIENT));
    expect(await Promise.all(calls)).toHaveLength(20);
  });

  it('leaves the threads for files of its own process alone', async () => {
    const many = Array.from({ length: 8 }, () => hang().catch(() => undefined));
    expect(await readdir(folder)).toEqual(['hung']);
    await Promise.all(many);
  });

  it('kills a helper whose work nobody wants any more', async () => {
    const controller = new AbortController();
    const call = helper.call('readText', { path: fifo }, { ...PATIENT, signal: controller.signal });
    controller.abort(new Error('not wanted'));
    await expect(call).rejects.toThrow('not wanted');
  });

  it('says that the helper died when it did', async () => {
    const limits = { memoryBytesMax: 1 << 30, cpuSMax: 1, fileBytesMax: 0 };
    const args = ['-c', 'kill -9 $(ps -o ppid= -p $$)'];
    const call = helper.call('run', { program: 'sh', args, ...limits }, PATIENT);
    await expect(call).rejects.toThrow('died');
    expect(await helper.call('list', { path: folder }, PATIENT)).toEqual(['hung']);
  });

  it('abandons helpers that can not be killed, at most as many as it may have', async () => {
    helper.close();
    helper = createStorageHelper({
      clock: systemClock,
      logger: silentLogger,
      processesMax: 2,
      // A stopped process does not even see that its parent is gone, as one that hangs in a call
      // of the kernel's.
      kill: (processGroup) => {
        unkillable.push(processGroup);
        process.kill(-processGroup, 'SIGSTOP');
      },
    });
    await expect(hang()).rejects.toThrow('does not answer');
    expect(await helper.call('list', { path: folder }, PATIENT)).toEqual(['hung']);
    await expect(hang()).rejects.toThrow('does not answer');
    // Both hang: nobody waits for a third.
    await expect(helper.call('list', { path: folder }, PATIENT)).rejects.toThrow(
      'can not be ended',
    );
    // The storage is back: the processes end at last, and work goes on.
    endUnkillable();
    const names = await waitFor(systemClock, 'a helper', 10_000, () =>
      helper.call('list', { path: folder }, PATIENT).catch(() => undefined),
    );
    expect(names).toEqual(['hung']);
  });

  it('works no more after its end', async () => {
    helper.close();
    await expect(helper.call('list', { path: folder }, PATIENT)).rejects.toThrow('no helpers');
  });
});
