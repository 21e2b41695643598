import { mkdir, readdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type BatchId, VM_STAGES, type Vm } from '@factory/contracts';
import { connectLibvirt, type Libvirt } from '@factory/libvirt';
import {
  type Clock,
  createLimiter,
  createUndiciTransport,
  sleep,
  systemClock,
} from '@factory/runtime';
import { readConnection } from '../../cli/src/client/connection.ts';
import { FactoryClient } from '../../cli/src/client/factory-client.ts';
import { layoutFor } from '../../cli/src/commands/context.ts';
import { createProgress } from '../../cli/src/output/progress.ts';
import { qemuDiskTools } from '../../services/vm-executor/src/host/qemu-img.ts';

/**
 * `./factory bench vm-create`: in one run, alternating, (a) the batch API from the request until all
 * machines are running, (b) the same domains defined and started straight through the libvirt
 * binding at the same concurrency. The ratio says what the factory costs.
 */

const POLL_MS = 25;
const DEADLINE_MS = 300_000;
/** Between two measurements: what the one before left to do is done. */
const SETTLE_MS = 1_500;
/** As many power-ons at a time as the executor allows itself (its FACTORY_POWER_ONS_MAX). */
const POWER_ONS = Math.max(4, availableParallelism());
const MEMORY_MIB = 128;
const DISK_GIB = 1;

interface Round {
  readonly apiMs: number;
  readonly libvirtMs: number;
  readonly vms: readonly Vm[];
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    data: { type: 'string' },
  },
});
const count = Number(values.count);
const clock: Clock = systemClock;
const layout = layoutFor(values.data === undefined ? {} : { data: values.data });
const transport = createUndiciTransport();
const client = new FactoryClient({ clock, transport, ...(await readConnection(layout)) });
const libvirt = await connectLibvirt({ uri: 'qemu:///system', clock });
const progress = createProgress(clock);

try {
  // The first batch starts the executor and makes the subnet: not what is measured.
  await measureApi('warm-up', Math.min(2, count), async () => undefined);
  const rounds: Round[] = [];
  for (let number = 1; number <= Number(values.rounds); number += 1) {
    rounds.push(await runRound(number));
  }
  report(rounds);
} finally {
  await libvirt.close();
  await transport.close();
}

async function runRound(number: number): Promise<Round> {
  progress.step(`round ${number}: ${count} machines through the API`);
  let definitions: readonly string[] = [];
  const api = await measureApi(`bench-${number}`, count, async (vms) => {
    definitions = await Promise.all(vms.map((vm) => definitionOf(libvirt, vm)));
  });
  progress.step(`round ${number}: the same ${count} domains through libvirt`);
  const libvirtMs = await measureLibvirt(definitions, number);
  progress.done(`round ${number}: API ${seconds(api.ms)}, libvirt ${seconds(libvirtMs)}`);
  return { apiMs: api.ms, libvirtMs, vms: api.vms };
}

/** Creates a batch, waits until all its machines run, looks at them, deletes them. */
async function measureApi(
  name: string,
  machines: number,
  look: (vms: readonly Vm[]) => Promise<void>,
): Promise<{ readonly ms: number; readonly vms: readonly Vm[] }> {
  const unique = `${name}-${Math.floor(clock.nowMs() / 1000)}`;
  const size = { vcpus: 1, memoryMiB: MEMORY_MIB, diskGiB: DISK_GIB };
  const startedAtMs = clock.monotonicMs();
  const batch = await client.createBatch({
    name: unique,
    image: 'micro',
    count: machines,
    ...size,
  });
  await until(`${machines} running machines`, async () => {
    const { vmCounts } = await client.batch(batch.id);
    if ((vmCounts.failed ?? 0) > 0) throw new Error(await failureIn(batch.id));
    return vmCounts.running === machines;
  });
  const ms = clock.monotonicMs() - startedAtMs;
  const vms = await client.vms({ batchId: batch.id });
  await look(vms);
  await client.deleteBatch(batch.id);
  await until('the deletion', async () => (await client.batch(batch.id)).state === 'deleted');
  await sleep(clock, SETTLE_MS);
  return { ms, vms };
}

async function failureIn(batchId: BatchId): Promise<string> {
  const failed = (await client.vms({ batchId })).find(({ state }) => state === 'failed');
  return `${failed?.name} failed: ${failed?.reason}: ${failed?.message}`;
}

async function definitionOf(connection: Libvirt, vm: Vm): Promise<string> {
  const domain = await connection.domains.lookupByName(`fct-${vm.id}`);
  return connection.domains.getXml(domain, { inactive: true });
}

/** Defines and starts the same domains under other names, on disks made beforehand. */
async function measureLibvirt(definitions: readonly string[], round: number): Promise<number> {
  const directory = join(layout.data, 'bench');
  await mkdir(directory, { recursive: true, mode: 0o711 });
  const copies = definitions.map((xml, index) => copyOf(xml, join(directory, `${round}-${index}`)));
  for (const copy of copies) await makeDisks(copy);
  const domains: { readonly name: string; readonly uuid: string }[] = [];
  try {
    const limit = createLimiter(POWER_ONS);
    const startedAtMs = clock.monotonicMs();
    await Promise.all(
      copies.map(({ xml }) =>
        limit(async () => {
          const domain = await libvirt.domains.define(xml);
          domains.push(domain);
          await libvirt.domains.start(domain);
        }),
      ),
    );
    return clock.monotonicMs() - startedAtMs;
  } finally {
    for (const domain of domains) {
      await libvirt.domains.destroy(domain).catch(() => undefined);
      await libvirt.domains.undefine(domain);
    }
    await rm(directory, { recursive: true, force: true });
    await sleep(clock, SETTLE_MS);
  }
}

interface Copy {
  readonly xml: string;
  readonly path: string;
}

/** The same domain with another name, identity and files. */
function copyOf(xml: string, path: string): Copy {
  const renamed = xml
    .replace(/<name>.*?<\/name>/, `<name>bench-${layout.instance}-${path.split('/').at(-1)}</name>`)
    .replace(/<uuid>.*?<\/uuid>/, '')
    .replace(/<metadata>.*?<\/metadata>/s, '')
    // The machine's tap goes with it; libvirt makes these cards one of their own each.
    .replaceAll(/<target dev=(['"])[^'"]*\1 managed=(['"])no\2\/>/g, '')
    .replaceAll(/(['"])[^'"]*\/overlays\/[^'"]*\/disk\.qcow2\1/g, `'${path}.qcow2'`)
    .replaceAll(/(['"])[^'"]*\/overlays\/[^'"]*\/seed\.iso\1/g, `'${path}.iso'`)
    .replaceAll(/(['"])[^'"]*\/consoles\/[^'"]*\.log\1/g, `'${path}.log'`);
  return { xml: renamed, path };
}

async function makeDisks({ path }: Copy): Promise<void> {
  const folder = join(layout.images, 'micro');
  const file = (await readdir(folder)).find((name) => name.endsWith('.qcow2'));
  if (file === undefined) throw new Error(`no image in ${folder}`);
  const base = { basePath: join(folder, file), baseFormat: 'qcow2' } as const;
  const sizeBytes = DISK_GIB * 1024 ** 3;
  await qemuDiskTools.createOverlay({ path: `${path}.qcow2`, ...base, sizeBytes });
  const seed = { instanceId: path, hostname: 'bench', sshPublicKeys: [], userData: '' };
  await qemuDiskTools.writeSeed(`${path}.iso`, seed);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const startedAtMs = clock.monotonicMs();
  while (!(await condition())) {
    if (clock.monotonicMs() - startedAtMs > DEADLINE_MS) throw new Error(`${what} did not come`);
    await sleep(clock, POLL_MS);
  }
}

function report(rounds: readonly Round[]): void {
  // The best of each: whatever else the machine did only ever adds time.
  const apiMs = Math.min(...rounds.map((round) => round.apiMs));
  const libvirtMs = Math.min(...rounds.map((round) => round.libvirtMs));
  const ratio = apiMs / libvirtMs;
  const stages = stageTimes(rounds.flatMap(({ vms }) => vms));
  if (values.json) {
    console.log(JSON.stringify({ count, rounds: rounds.length, apiMs, libvirtMs, ratio, stages }));
    return;
  }
  console.log(`\n${count} machines, best of ${rounds.length} rounds`);
  console.log(`  (a) batch API until all run   ${seconds(apiMs)}`);
  console.log(`  (b) bare libvirt              ${seconds(libvirtMs)}`);
  console.log(`  ratio (a)/(b)                 ${ratio.toFixed(2)}`);
  console.log('  per machine, from the request (median, last):');
  for (const { stage, medianMs, lastMs } of stages) {
    console.log(
      `    ${stage.padEnd(10)} ${seconds(medianMs).padStart(8)} ${seconds(lastMs).padStart(8)}`,
    );
  }
}

/** When each stage was reached, counted from the acceptance of the machine's batch. */
function stageTimes(vms: readonly Vm[]) {
  return VM_STAGES.filter((stage) => stage !== 'ready').flatMap((stage) => {
    const times = vms.flatMap(({ timeline }) => {
      const at = timeline[stage];
      return at === undefined || timeline.accepted === undefined ? [] : [at - timeline.accepted];
    });
    if (times.length === 0) return [];
    return [{ stage, medianMs: median(times), lastMs: Math.max(...times) }];
  });
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
