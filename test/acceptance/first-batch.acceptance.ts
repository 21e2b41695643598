import { expectThat, figure, timed } from '../support/acceptance.ts';
import { domainsOf, filesLeft, pings, startRealFactory } from '../support/real-factory.ts';

/**
 * Eight machines by the CLI, each running and answering a ping; a second batch of eight on the
 * running factory in under 40 s; nothing left after deleting them; the second `up` in under 10 s.
 */
const SIZE = ['--image', 'micro', '--count', '8', '--vcpus', '1', '--memory', '128', '--wait'];

const factory = await startRealFactory();
try {
  const first = await timed(() => factory.run('batch', 'create', '--name', 'first', ...SIZE));
  const second = await timed(() => factory.run('batch', 'create', '--name', 'second', ...SIZE));
  console.log(`       first batch of 8: ${first.seconds.toFixed(1)} s`);
  figure('second batch of 8, all up', second.seconds, 's', 40);
  const vms = await factory.client.vms({});
  const running = vms.filter(({ state }) => state === 'running').length;
  expectThat('16 machines are running', running === 16, `${running} are`);
  const answers = await Promise.all(vms.map((vm) => pings(factory, vm)));
  expectThat('each answers a ping', answers.every(Boolean), `${answers.filter(Boolean).length} do`);

  await factory.run('batch', 'delete', 'first', '--wait');
  await factory.run('batch', 'delete', 'second', '--wait');
  expectThat('virsh lists none of them', (await domainsOf(vms)).length === 0);
  const left = await filesLeft(factory.layout);
  expectThat('the overlay and lease folders are empty', left.length === 0, left.join(', '));

  await factory.run('down');
  const port = new URL(factory.url).port;
  const again = await timed(() => factory.run('up', '--detach', '--port', port));
  figure('second up on the same machine', again.seconds, 's', 10);
} finally {
  await factory.remove();
}
