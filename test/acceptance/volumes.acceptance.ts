import type { BatchVolume, Vm } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { clientPid } from '../../cli/src/supervisor/gluster.ts';
import { placeOf } from '../../cli/src/supervisor/shared-storage.ts';
import { expectThat, timed } from '../support/acceptance.ts';
import { makeVolume, startRealFactory } from '../support/real-factory.ts';

/**
 * Users' storage on a real GlusterFS: a file that one machine writes is read by another on another
 * host; a disk keeps what was written when its machine is deleted and another gets it.
 */
const TIMEOUT_MS = 240_000;
const SIZE = { image: 'micro', memoryMiB: 128 };

/** Writes its name, waits for the other's, and says both on the console. */
const GREET = `#!/bin/sh
echo "greetings of $(hostname)" >/data/$(hostname)
until [ "$(ls /data | wc -l)" -ge 2 ]; do sleep 1; done
sleep 1
cat /data/* >/dev/ttyS0
`;
const WRITE =
  '#!/bin/sh\necho kept >/disk/file && sync && echo "written: $(cat /disk/file)" >/dev/ttyS0\n';
const READ = '#!/bin/sh\necho "read: $(cat /disk/file)" >/dev/ttyS0\n';

const factory = await startRealFactory('--agents', '2', '--shared-storage', 'gluster');
const { client } = factory;

/** The console of a machine, once it says this. */
const consoleWith = (vmId: string, text: string) =>
  waitFor(systemClock, `"${text}" on the console`, TIMEOUT_MS, async () => {
    const vm = await client.vm(vmId);
    if (vm.state === 'failed') throw new Error(`${vm.name} failed: ${vm.reason}: ${vm.message}`);
    if (!vm.guestReady) return undefined;
    const log = await client.logs(vmId);
    return log.includes(text) ? log : undefined;
  });

try {
  await makeVolume(factory, { name: 'shared', kind: 'directory', sizeGiB: 1 });
  const { id: batchId } = await client.createBatch({
    ...{ ...SIZE, name: 'pair', count: 2, userData: GREET },
    volumes: [{ volume: 'shared', path: '/data' }],
    group: { id: 'pair', rule: 'anti-affinity' },
  });
  const [one, two] = await waitFor(systemClock, 'two machines', TIMEOUT_MS, async () => {
    const vms = await client.vms({ batchId });
    return vms.length === 2 ? vms : undefined;
  });
  if (one === undefined || two === undefined) throw new Error('there are no two machines');
  const read = await timed(() => consoleWith(two.id, `greetings of ${one.name}`));
  await consoleWith(one.id, `greetings of ${two.name}`);
  const hosts = await Promise.all([one, two].map(({ id }) => client.vm(id)));
  const [here, there] = hosts.map(({ hostName }) => hostName);
  expectThat('the machines are on two hosts', here !== there, `both are on ${here}`);
  console.log(`       ${one.name} on ${here} wrote /data/${one.name}`);
  console.log(
    `       ${two.name} on ${there} read it, ${read.seconds.toFixed(1)} s after both were asked for`,
  );
  await factory.run('batch', 'delete', 'pair', '--wait');

  await factory.run('volume', 'create', 'disk', '--kind', 'block', '--size', '1');
  const useDisk = async (name: string, userData: string, text: string): Promise<void> => {
    const volumes = [{ volume: 'disk', path: '/disk' }];
    const batch = await client.createBatch({ ...SIZE, name, count: 1, userData, volumes });
    const vm = await waitFor(systemClock, 'its machine', TIMEOUT_MS, async () => {
      const [first] = await client.vms({ batchId: batch.id });
      return first;
    });
    await consoleWith(vm.id, text);
    await factory.run('batch', 'delete', name, '--wait');
  };
  await useDisk('writer', WRITE, 'written: kept');
  await useDisk('reader', READ, 'read: kept');
  expectThat('a disk keeps what was written for the next machine', true);

  await factory.run(
    'batch',
    'create',
    '--name',
    'late',
    '--image',
    'micro',
    '--count',
    '1',
    '--wait',
  );
  const late = await client.findVm('late-1');
  await client.actOnVm(late.id, 'stop');
  await waitFor(systemClock, 'it to stop', TIMEOUT_MS, async () =>
    (await client.vm(late.id)).state === 'stopped' ? true : undefined,
  );
  await factory.run('volume', 'attach', 'late-1', 'disk:/disk');
  await client.actOnVm(late.id, 'start');
  await consoleWith(late.id, 'FACTORY-MOUNT /disk');
  expectThat('a stopped machine is given a disk, and mounts it at its next start', true);
  await factory.run('batch', 'delete', 'late', '--wait');

  await showThatItHangs();

  for (const name of ['shared', 'disk']) await factory.run('volume', 'delete', name);
  const gone = await waitFor(systemClock, 'the end of the volumes', TIMEOUT_MS, async () =>
    (await client.volumes()).length === 0 ? true : undefined,
  );
  expectThat('deleted volumes leave nothing', gone);
} finally {
  await factory.remove();
}

/** Of the faults of storage-faults.long.acceptance.ts, the one that holds up most. */
async function showThatItHangs(): Promise<void> {
  const clientOfMount = await clientPid({ ...placeOf(factory.layout), clock: systemClock });
  if (clientOfMount === undefined) throw new Error('the mount has no client');
  const ask = async (name: string, volumes: BatchVolume[]): Promise<string> => {
    const batch = await client.createBatch({ ...SIZE, name, count: 1, volumes });
    return waitFor(systemClock, `the machine ${name}`, TIMEOUT_MS, async () => {
      const [vm] = await client.vms({ batchId: batch.id });
      return vm?.id;
    });
  };
  const until = (vmId: string, what: string, holds: (vm: Vm) => boolean) =>
    waitFor(systemClock, what, TIMEOUT_MS, async () =>
      holds(await client.vm(vmId)) ? true : undefined,
    );
  const isRunning = ({ state }: Vm): boolean => state === 'running';
  process.kill(clientOfMount, 'SIGSTOP');
  try {
    const needy = await ask('needy', [{ volume: 'shared', path: '/data' }]);
    const isTold = ({ reason }: Vm): boolean => reason === 'STORAGE_UNAVAILABLE';
    const told = await timed(() => until(needy, 'STORAGE_UNAVAILABLE', isTold));
    console.log(`       the mount hangs: STORAGE_UNAVAILABLE after ${told.seconds.toFixed(1)} s`);
    const other = await timed(async () => until(await ask('free', []), 'it to run', isRunning));
    console.log(`       a machine without a volume runs after ${other.seconds.toFixed(1)} s`);
    process.kill(clientOfMount, 'SIGCONT');
    await until(needy, 'it to run', isRunning);
    expectThat('a mount that hangs holds up who needs it alone, and until it is back', true);
  } finally {
    process.kill(clientOfMount, 'SIGCONT');
  }
  for (const name of ['needy', 'free']) await factory.run('batch', 'delete', name, '--wait');
}
