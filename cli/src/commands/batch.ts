import { readFile } from 'node:fs/promises';
import type { BatchRequest, Shape } from '@factory/contracts';
import { Command, InvalidArgumentError } from 'commander';
import { formatBatches, formatOne, formatVms, type OutputFormat } from '../output/format.ts';
import { createProgress } from '../output/progress.ts';
import { withClient } from './context.ts';
import { collect, dataOption, integer, outputOption, timeoutOption } from './options.ts';
import { waitForBatch, waitForBatchDeleted } from './wait.ts';

const CREATE_EXAMPLES = `
Examples:
  ./factory batch create --name first --image micro --count 8 --vcpus 1 --memory 128 --wait
  ./factory batch create --name farm --image micro --total-vcpus 20 --shape 8x1024 --shape 4x512
  ./factory batch create --name keyed --image micro --count 2 --ssh-key ~/.ssh/id_ed25519.pub`;

/** `./factory batch …` */
export function batchCommand(): Command {
  const command = new Command('batch').description('many machines from one request');
  command.addCommand(createCommand());
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(waitCommand());
  command.addCommand(deleteCommand());
  return command;
}

interface CreateOptions {
  readonly data?: string;
  readonly name: string;
  readonly image: string;
  readonly count?: number;
  readonly vcpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly totalVcpus?: number;
  readonly shape?: readonly Shape[];
  readonly sshKey?: readonly string[];
  readonly userData?: string;
  readonly wait?: true;
  readonly timeout: number;
  readonly output: OutputFormat;
}

function createCommand(): Command {
  return new Command('create')
    .description('create a batch')
    .requiredOption('--name <name>', 'name of the batch; its machines are <name>-1 and so on')
    .requiredOption('--image <name>', 'image to start from')
    .option('--count <n>', 'number of machines', integer(1))
    .option('--vcpus <n>', 'virtual cpus of each machine', integer(1))
    .option('--memory <MiB>', 'memory of each machine in MiB', integer(1))
    .option('--disk <GiB>', 'disk of each machine in GiB', integer(1))
    .option('--total-vcpus <n>', 'cores in total, instead of --count', integer(1))
    .option('--shape <VxM>', 'allowed size for --total-vcpus: vcpus x MiB; repeatable', parseShape)
    .option('--ssh-key <file>', 'public key for the machines; repeatable', collect)
    .option('--user-data <file>', 'script or cloud-init data that the machines run at first boot')
    .option('--wait', 'wait until all machines run and answer')
    .addOption(timeoutOption(600))
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', CREATE_EXAMPLES)
    .action(create);
}

async function create(options: CreateOptions): Promise<void> {
  const request = await requestOf(options);
  await withClient(options, async ({ client, clock }) => {
    const created = await client.createBatch(request);
    if (options.wait !== true) {
      console.log(formatOne(created, options.output === 'table' ? 'name' : options.output));
      return;
    }
    const progress = createProgress(clock);
    const batch = await waitForBatch(client, clock, created, progress, options.timeout * 1000);
    console.log(formatVms(await client.vms({ batchId: batch.id }), options.output));
  });
}

async function requestOf(options: CreateOptions): Promise<BatchRequest> {
  const keys = await Promise.all((options.sshKey ?? []).map((file) => readFile(file, 'utf8')));
  const { name, image, count, vcpus, memory, disk, totalVcpus, shape, userData } = options;
  return {
    name,
    image,
    ...(count === undefined ? {} : { count }),
    ...(vcpus === undefined ? {} : { vcpus }),
    ...(memory === undefined ? {} : { memoryMiB: memory }),
    ...(disk === undefined ? {} : { diskGiB: disk }),
    ...(totalVcpus === undefined ? {} : { totalVcpus }),
    ...(shape === undefined ? {} : { shapes: [...shape] }),
    ...(keys.length === 0 ? {} : { sshPublicKeys: keys.map((key) => key.trim()) }),
    ...(userData === undefined ? {} : { userData: await readFile(userData, 'utf8') }),
  };
}

function parseShape(text: string, before: readonly Shape[] | undefined): readonly Shape[] {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('It should be vcpus x memory in MiB, like 8x1024.');
  }
  return [...(before ?? []), { vcpus: Number(match[1]), memoryMiB: Number(match[2]) }];
}

interface ReadOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

function listCommand(): Command {
  return new Command('list')
    .description('list the batches')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatBatches(await client.batches(), options.output));
      });
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('show one batch and its machines')
    .argument('<batch>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: ReadOptions) => {
      await withClient(options, async ({ client }) => {
        const batch = await client.findBatch(name);
        console.log(formatOne(batch, options.output));
        const isForPeople = options.output === 'table' || options.output === 'wide';
        if (!isForPeople) return;
        console.log();
        console.log(formatVms(await client.vms({ batchId: batch.id }), options.output));
      });
    });
}

function waitCommand(): Command {
  return new Command('wait')
    .description('wait until all machines of a batch run and answer')
    .argument('<batch>', 'name or id')
    .addOption(timeoutOption(600))
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string; timeout: number }) => {
      await withClient(options, async ({ client, clock }) => {
        const batch = await client.findBatch(name);
        await waitForBatch(client, clock, batch, createProgress(clock), options.timeout * 1000);
      });
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('delete a batch with all its machines and their disks')
    .argument('<batch>', 'name or id')
    .option('--wait', 'wait until nothing of it is left')
    .addOption(timeoutOption(300))
    .addOption(dataOption())
    .action(async (name: string, options: { data?: string; wait?: true; timeout: number }) => {
      await withClient(options, async ({ client, clock }) => {
        const batch = await client.findBatch(name);
        await client.deleteBatch(batch.id);
        if (options.wait !== true) {
          console.log(`${batch.name} is being deleted`);
          return;
        }
        const progress = createProgress(clock);
        await waitForBatchDeleted(client, clock, batch, progress, options.timeout * 1000);
      });
    });
}
