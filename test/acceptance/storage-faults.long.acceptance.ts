import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { BatchRequest, Vm } from '@factory/contracts';
import { systemClock, waitFor } from '@factory/runtime';
import { clientPid, gluster } from '../../cli/src/supervisor/gluster.ts';
import { placeOf } from '../../cli/src/supervisor/shared-storage.ts';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { makeVolume, startRealFactory } from '../support/real-factory.ts';

/**
 * Storage faults on a real GlusterFS mount: it hangs, is read-only, is full, loses its client. Machines
 * that need it wait or fail with that reason; others are made as ever; all goes on when it is back.
 */
const TIMEOUT_MS = 300_000;
/** Beside what the same takes without a fault: questions that hang are given up after 8 s. */
const HELD_UP_S = 15;
const SIZE = { image: 'micro', count: 1, memoryMiB: 128 };
/** Writes to its disk for ever, and says so. */
const WRITER = `#!/bin/sh
(n=0; while dd if=/dev/zero of=/disk/file bs=64k count=16 conv=fsync 2>/dev/null; do
  n=$((n + 1)); echo "wrote $n" >/dev/ttyS0; sleep 1; done) &
`;

const run = promisify(execFile);
const factory = await startRealFactory('--shared-storage', 'gluster');
const { client } = factory;
const place = { ...placeOf(factory.layout), clock: systemClock };

async function ask(name: string, more: Partial<BatchRequest> = {}): Promise<string> {
  const batch = await client.createBatch({ ...SIZE, name, ...more });
  const vm = await waitFor(systemClock, `a machine of ${name}`, TIMEOUT_MS, async () => {
    const [first] = await client.vms({ batchId: batch.id });
    return first;
  });
  return vm.id;
}

const until = (what: string, id: string, holds: (vm: Vm) => boolean): Promise<Vm> =>
  waitFor(systemClock, what, TIMEOUT_MS, async () => {
    const vm = await client.vm(id);
    return holds(vm) ? vm : undefined;
  });
const running = (id: string) => until(`${id} to run`, id, (vm) => vm.state === 'running');

/** What it takes to make a machine that has no volume. */
async function makeOther(name: string): Promise<number> {
  const { seconds } = await timed(async () => running(await ask(name)));
  await factory.run('batch', 'delete', name, '--wait');
  return seconds;
}

interface Fault {
  readonly name: string;
  readonly reason: Vm['reason'];
  readonly volume: string;
  readonly begin: () => Promise<unknown>;
  readonly end: () => Promise<unknown>;
}

/** A machine that needs the storage, one that does not, and the storage's return. */
async function show({ name, reason, volume, begin, end }: Fault, usualS: number): Promise<void> {
  console.log(`       the storage ${name}`);
  await begin();
  try {
    const [vmName, path] = [`needs-${volume}`, '/data'];
    const id = await ask(vmName, { volumes: [{ volume, path }] });
    const told = await timed(() => until(`${reason}`, id, (vm) => vm.reason === reason));
    console.log(
      `       ${told.value.state}, ${reason} after ${told.seconds.toFixed(1)} s: ${told.value.message}`,
    );
    expectThat('a machine that needs it says why it does not run', told.value.state !== 'running');
    figure('another machine is made', await makeOther(`other-${volume}`), 's', usualS + HELD_UP_S);
    await end();
    const back = await timed(async () => {
      const vm = await until(
        'its end',
        id,
        ({ state }) => state === 'running' || state === 'failed',
      );
      // What failed for good is started again by its user.
      if (vm.state === 'failed') await client.actOnVm(id, 'start');
      return running(id);
    });
    console.log(`       it runs ${back.seconds.toFixed(1)} s after the storage was back`);
    await factory.run('batch', 'delete', vmName, '--wait');
  } finally {
    await end();
  }
}

async function signalClient(signal: 'SIGSTOP' | 'SIGCONT' | 'SIGKILL'): Promise<void> {
  const pid = await clientPid(place);
  if (pid === undefined) throw new Error('the mount has no client');
  process.kill(pid, signal);
}
const remount = (mode: 'ro' | 'rw') =>
  run('mount', ['-o', `remount,bind,${mode}`, place.mountPoint]);
/** GlusterFS itself then says that there is no space. */
const reserve = (percent: number) =>
  gluster(place, 'volume', 'set', 'factory', 'storage.reserve', String(percent));

try {
  for (const name of ['hung', 'ro', 'full', 'gone']) {
    const kind = name === 'hung' || name === 'gone' ? 'directory' : 'block';
    await makeVolume(factory, { name, kind, sizeGiB: 1 });
  }
  await makeVolume(factory, { name: 'written', kind: 'block', sizeGiB: 1 });
  await makeOther('first');
  const usualS = await makeOther('usual');
  console.log(`       without a fault a machine is made in ${usualS.toFixed(1)} s`);

  await show(
    {
      ...{ name: 'hangs', reason: 'STORAGE_UNAVAILABLE', volume: 'hung' },
      begin: () => signalClient('SIGSTOP'),
      end: () => signalClient('SIGCONT'),
    },
    usualS,
  );
  await show(
    {
      ...{ name: 'is read-only', reason: 'STORAGE_READONLY', volume: 'ro' },
      begin: () => remount('ro'),
      end: () => remount('rw'),
    },
    usualS,
  );

  const writer = await ask('writer', {
    ...{ userData: WRITER, volumes: [{ volume: 'written', path: '/disk' }] },
  });
  const wrote = async (): Promise<number> =>
    Number(
      (await client.logs(writer))
        .match(/wrote (\d+)/g)
        ?.at(-1)
        ?.slice(6) ?? 0,
    );
  const writes = (more: number) =>
    waitFor(systemClock, 'the guest to write', TIMEOUT_MS, async () =>
      (await wrote()) >= more ? true : undefined,
    );
  await running(writer);
  await writes(1);
  await show(
    {
      ...{ name: 'is full', reason: 'DISK_FULL', volume: 'full' },
      begin: async () => {
        await reserve(99);
        const stopped = await until('IO_ERROR', writer, ({ reason }) => reason === 'IO_ERROR');
        console.log(`       a guest that writes to it: ${stopped.state}, ${stopped.message}`);
      },
      end: () => reserve(1),
    },
    usualS,
  );
  await running(writer);
  const before = await wrote();
  await writes(before + 2);
  expectThat('the guest that stood still writes on where it was', true);
  await factory.run('batch', 'delete', 'writer', '--wait');

  console.log("       the mount's client is killed");
  await signalClient('SIGKILL');
  const again = await timed(async () =>
    running(await ask('after', { volumes: [{ volume: 'gone', path: '/data' }] })),
  );
  console.log(
    `       mounted again; a machine with a volume runs after ${again.seconds.toFixed(1)} s`,
  );
} finally {
  await factory.remove();
}
