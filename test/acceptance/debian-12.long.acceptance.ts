import { systemClock, waitFor } from '@factory/runtime';
import { expectThat, timed } from '../support/acceptance.ts';
import { pings, startRealFactory } from '../support/real-factory.ts';

/**
 * `./factory image build debian-12`, and a machine made of it: its seed is applied, its disk has grown,
 * its agent is there. Under emulation it takes minutes.
 */
const READY_TIMEOUT_MS = 600_000;

const factory = await startRealFactory();
try {
  const build = await timed(() => factory.run('image', 'build', 'debian-12'));
  console.log(`       built in ${build.seconds.toFixed(0)} s`);
  await factory.run(
    ...['batch', 'create', '--name', 'debian', '--image', 'debian-12', '--count', '1'],
    ...['--vcpus', '2', '--memory', '1024', '--disk', '8'],
  );
  const ready = await timed(() =>
    waitFor(systemClock, 'the machine to be ready', READY_TIMEOUT_MS, async () => {
      const [vm] = await factory.client.vms({});
      if (vm?.state === 'failed') throw new Error(`it failed: ${vm.message}`);
      return vm?.guestReady === true ? vm : undefined;
    }),
  );
  const vm = ready.value;
  console.log(`       ready after ${ready.seconds.toFixed(0)} s`);
  expectThat('it runs', vm.state === 'running', vm.state);
  expectThat('it answers a ping', await pings(factory, vm));
  await factory.run('batch', 'delete', 'debian', '--wait');
} finally {
  await factory.remove();
}
