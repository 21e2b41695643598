import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { KilledProcesses } from '../../services/vm-executor/test/killed-processes.ts';
import { expectThat } from '../support/acceptance.ts';

/**
 * The executor's steps on real files, killed before every single call by which they change one, once
 * and twice in a row: what its successor leaves is exactly what belongs there. (The integration tests
 * kill between the steps; a simulated host, of all procedures and with everything else.)
 */
const MACHINE = [
  'hardware/vm.json',
  'leases/vm.json',
  'overlays/vm/disk.qcow2',
  'overlays/vm/record.json',
  'overlays/vm/seed.iso',
];
const IMAGE = ['images/web/sha256.json', 'images/web/sha256.qcow2'];

interface Story {
  readonly procedure: string;
  readonly isOn?: boolean;
  /** What was killed before it begins. */
  readonly after?: string;
  readonly files: readonly string[];
}

const STORIES: readonly Story[] = [
  { procedure: 'create', files: MACHINE },
  { procedure: 'delete', files: [] },
  { procedure: 'resize', files: MACHINE },
  { procedure: 'rebuild', files: MACHINE },
  { procedure: 'makeImage', files: [...MACHINE, ...IMAGE] },
  { procedure: 'makeImage', isOn: true, files: [...MACHINE, ...IMAGE] },
  { procedure: 'undoMakeImage', after: 'storage/rename/after', files: MACHINE },
  { procedure: 'undoMakeImage', after: 'makeImage/copy/after', isOn: true, files: MACHINE },
];

const processes = await KilledProcesses.create();
const made = await processes.host();
await processes.run(made, 'create');

for (const { procedure, isOn = false, after, files } of STORIES) {
  const like = procedure === 'create' ? undefined : await processes.host(made);
  if (like !== undefined && after !== undefined) {
    await processes.run(like, 'makeImage', { killAt: after, isOn });
  }
  const expected = files.toSorted().join(' ');
  const wrong: string[] = [];
  let [calls, deaths] = [0, 0];
  for (; ; calls += 1) {
    const killAt = String(calls);
    const once = await processes.host(like);
    if ((await processes.run(once, procedure, { killAt, isOn })) === 'done') break;
    const twice = await processes.host(once);
    deaths += (await processes.run(twice, procedure, { killAt, isOn })) === 'SIGKILL' ? 2 : 1;
    for (const hostDir of [once, twice]) {
      await processes.run(hostDir, procedure, { isOn });
      const left = await filesIn(hostDir);
      if (left !== expected) wrong.push(`killed before call ${calls}: ${left}`);
    }
  }
  const what = `${procedure}${isOn ? ' of a machine that is on' : ''}`;
  expectThat(
    `${what}: ${deaths} deaths before ${calls} calls; nothing lost, nothing left`,
    calls > 0 && wrong.length === 0,
    wrong.join('; '),
  );
}
await processes.close();

/** All files, those that differ from run to run as what they are. */
async function filesIn(hostDir: string): Promise<string> {
  const found = await readdir(hostDir, { recursive: true, withFileTypes: true });
  return found
    .filter((each) => each.isFile())
    .map(({ parentPath, name }) => relative(hostDir, join(parentPath, name)))
    .map((path) => path.replace(/vm_\w+/, 'vm').replace(/[0-9a-f]{64}/, 'sha256'))
    .toSorted()
    .join(' ');
}
