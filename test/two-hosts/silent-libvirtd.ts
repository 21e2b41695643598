import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, waitFor } from '@factory/runtime';
import { expectThat, figure, timed } from '../support/acceptance.ts';
import { Cluster, type TestVm } from './cluster.ts';
import { type Host, openHost, openHub } from './host.ts';

/**
 * Two hosts in one cluster. libvirtd of the first is halted, so that it accepts calls and answers
 * none: machines there wait or fail with that reason, its guests run on, the other host is not held
 * up; and when it goes on, so does everything. Run it in a network namespace of its own, with a
 * folder of images.
 */
const subnet = { vni: 101, egress: 'none' } as const;
/** What is usual takes seconds; this is for a machine under load. */
const USUAL_TIMEOUT_MS = 120_000;
/** The deadline of `starting` and `stopping`, and some time to tell. */
const VERDICT_TIMEOUT_MS = 4 * 60_000;

const [, , images = ''] = process.argv;
const directory = await mkdtemp(join(tmpdir(), 'silent-libvirtd-'));
const hosts: Host[] = [];
let cluster: Cluster | undefined;
try {
  await openHub();
  hosts.push(...(await Promise.all([openHost(1, directory), openHost(2, directory)])));
  cluster = new Cluster(hosts, directory, images, new Map());
  await cluster.start();
  await drill(cluster, hosts);
} finally {
  await cluster?.close();
  for (const host of hosts) await host.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
}

async function drill(cluster: Cluster, [silent, other]: readonly Host[]): Promise<void> {
  if (silent === undefined || other === undefined) throw new Error('two hosts are needed');
  const vm = (name: string, number: number, host: Host): TestVm => {
    return { name, number, host, subnet, ipAddress: `10.80.1.${number}`, userData: '' };
  };
  const [before, beside] = [vm('before', 1, silent), vm('beside', 2, other)];
  await cluster.put([before, beside]);
  const usual = await timed(() => reaches(cluster, [before, beside], /^running$/));
  const guest = await guestsOf(silent);
  await silent.haltLibvirt();

  const [asked, free] = [vm('asked', 3, silent), vm('free', 4, other)];
  await cluster.put([asked, free]);
  await cluster.want([before], 'stopped');
  const freely = await timed(() => reaches(cluster, [free], /^running$/));
  const limit = 2 * usual.seconds + 5;
  figure('a machine on the other host runs', freely.seconds, 's', limit);
  const verdict = await timed(() =>
    reaches(cluster, [asked, before], /libvirt/i, VERDICT_TIMEOUT_MS),
  );
  figure('the machines that need it tell why', verdict.seconds, 's', VERDICT_TIMEOUT_MS / 1000);
  for (const each of [asked, before])
    process.stdout.write(`       ${each.name}: ${cluster.phaseOf(each)}\n`);
  const still = await guestsOf(silent);
  expectThat('its guest runs on', guest !== '' && still === guest, `${guest} before, ${still} now`);

  silent.resumeLibvirt();
  const back = await timed(async () => {
    await reaches(cluster, [asked], /^(running|failed.*)$/);
    await reaches(cluster, [before], /^stopped/);
  });
  figure('when it answers, all goes on', back.seconds, 's', 60);
  const last = vm('last', 5, silent);
  await cluster.put([last]);
  await reaches(cluster, [last], /^running$/);
  const all = [before, beside, asked, free, last];
  await cluster.delete(all);
  for (const host of [silent, other]) {
    expectThat(`${host.name} has no guest left`, (await guestsOf(host)) === '');
  }
}

async function reaches(
  cluster: Cluster,
  vms: readonly TestVm[],
  phase: RegExp,
  timeoutMs = USUAL_TIMEOUT_MS,
): Promise<void> {
  const states = (): string => vms.map((vm) => `${vm.name} is ${cluster.phaseOf(vm)}`).join('; ');
  await waitFor(systemClock, `${phase}`, timeoutMs, () =>
    vms.every((vm) => phase.test(cluster.phaseOf(vm))) ? true : undefined,
  ).catch((error: unknown) => {
    throw new Error(states(), { cause: error });
  });
}

/** The process ids of a host's guests. */
async function guestsOf(host: Host): Promise<string> {
  return (await host.run('sh', '-c', 'pgrep -x qemu-system-x86 || true')).trim();
}
