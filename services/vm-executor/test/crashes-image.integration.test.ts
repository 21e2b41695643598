import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAKE_IMAGE, MAKE_IMAGE_UNDONE } from '../src/operations/make-image.ts';
import { testVmId } from '../src/testing.ts';
import { pointsOf, type Work } from './crash-work.ts';
import { KilledProcesses } from './killed-processes.ts';

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;
/** How publishing changes the storage of images, one call after the other. */
const PUBLISHING = ['makeFolder', 'copy', 'writeText', 'rename', 'remove'];
const PUBLISHING_POINTS = PUBLISHING.map(
  (call) => [`publish: after its first '${call}'`, `storage/${call}/after`] as const,
);
/** Those of its steps do something else when the machine is on. */
const LIVE = /freeze|copy|thaw|copied|draft/;
const OF_MACHINE = ['disk.qcow2', 'record.json', 'seed.iso'].map((name) =>
  join('overlays', testVmId(1), name),
);

describe.concurrent('a process that is killed (SIGKILL), once or twice in a row, on real files', () => {
  let processes: KilledProcesses;
  /** A host with a machine. */
  let made: string;
  /** Hosts with half an image, of a machine that is on or off. */
  let copied: { readonly on: string; readonly off: string };

  beforeAll(async () => {
    processes = await KilledProcesses.create();
    made = await processes.host();
    expect(await processes.run(made, 'create')).toBe('done');
    copied = {
      on: await killed(made, { killAt: 'makeImage/copy/after', isOn: true }),
      off: await killed(made, { killAt: 'storage/rename/after' }),
    };
  });
  afterAll(() => processes.close());

  /** A host like the other one, on which a process died. */
  async function killed(like: string, work: Partial<Work>, of = MAKE_IMAGE): Promise<string> {
    const hostDir = await processes.host(like);
    expect(await processes.run(hostDir, of.name, work)).toBe('SIGKILL');
    return hostDir;
  }

  /** What another process leaves that comes to its end on a host like that one. */
  async function ended(like: string, isOn: boolean, of = MAKE_IMAGE): Promise<string> {
    const hostDir = await processes.host(like);
    expect(await processes.run(hostDir, of.name, { isOn })).toBe('done');
    return hostDir;
  }

  /** The paths of all files besides the machine's own, which must be there. */
  async function leftovers(hostDir: string): Promise<readonly string[]> {
    const found = await readdir(hostDir, { recursive: true, withFileTypes: true });
    const paths = found
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(hostDir.length + 1));
    expect(paths).toEqual(expect.arrayContaining(OF_MACHINE));
    const isOwn = (path: string) =>
      OF_MACHINE.includes(path) || /^(leases|hardware)\/vm_/.test(path);
    return paths.filter((path) => !isOwn(path)).toSorted();
  }

  /** The image is there, whole, and nothing else. */
  async function expectOneImage(hostDir: string): Promise<void> {
    const [manifest = '', image = '', ...more] = await leftovers(hostDir);
    expect(more).toEqual([]);
    const bytes = await readFile(join(hostDir, image));
    const version = createHash('sha256').update(bytes).digest('hex');
    expect([manifest, image]).toEqual([
      `images/web/${version}.json`,
      `images/web/${version}.qcow2`,
    ]);
    const [disk = '', record = ''] = OF_MACHINE.map((path) => join(hostDir, path));
    await run('qemu-img', ['compare', join(hostDir, image), disk]);
    const { operation } = JSON.parse(await readFile(record, 'utf8'));
    expect(operation).toMatchObject({ made: { version, isQuiesced: true } });
  }

  async function killMaking(killAt: string, isOn: boolean): Promise<void> {
    const once = await killed(made, { killAt, isOn });
    await expectOneImage(await ended(once, isOn));
    const undone = await leftovers(await ended(once, isOn, MAKE_IMAGE_UNDONE));
    // What was published is an image, which its user finds and may delete.
    const isPublished = (await leftovers(once)).some((path) => /[0-9a-f]{64}\.json$/.test(path));
    expect(undone).toHaveLength(isPublished ? 2 : 0);
    await expectOneImage(await ended(await killed(once, { killAt, isOn }), isOn));
  }

  it.each([...pointsOf(MAKE_IMAGE), ...PUBLISHING_POINTS])(
    '(%s; the machine is off) leaves an image to be made that the next one makes or takes back',
    (_where, killAt) => killMaking(killAt, false),
    TIMEOUT_MS,
  );

  it.each(pointsOf(MAKE_IMAGE).filter(([, killAt]) => LIVE.test(killAt)))(
    '(%s; the machine is on, its QEMU and agent simulated) leaves no guest frozen and no job',
    (_where, killAt) => killMaking(killAt, true),
    TIMEOUT_MS,
  );

  it.each(
    pointsOf(MAKE_IMAGE_UNDONE).flatMap(([where, killAt]) =>
      (['on', 'off'] as const).map((power) => [where, power, killAt] as const),
    ),
  )(
    '(%s; the machine is %s) leaves nothing once the next one has taken it back',
    async (_where, power, killAt) => {
      const isOn = power === 'on';
      const once = await killed(copied[power], { killAt, isOn }, MAKE_IMAGE_UNDONE);
      const twice = await killed(once, { killAt, isOn }, MAKE_IMAGE_UNDONE);
      for (const left of [once, twice]) {
        expect(await leftovers(await ended(left, isOn, MAKE_IMAGE_UNDONE))).toEqual([]);
      }
    },
    TIMEOUT_MS,
  );
});
