import { Command } from 'commander';
import type { Orphan } from '../client/factory-client.ts';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';

interface Options {
  readonly data?: string;
}

/** `./factory audit …` */
export function auditCommand(): Command {
  const command = new Command('audit')
    .description('what is on hosts and nothing speaks for it, and what to do about it')
    .addOption(dataOption())
    .action((options: Options) =>
      withClient(options, async ({ client }) => {
        const orphans = await client.orphans();
        console.log(orphans.map(describeOrphan).join('\n') || 'Nothing is left without an owner.');
      }),
    );
  command.addCommand(verbCommand('adopt', 'take a machine up where something of it was found'));
  command.addCommand(verbCommand('remove', 'remove what was found of a machine that is deleted'));
  command.addCommand(goneCommand());
  return command;
}

/** `vm_…  idc-1/host-2  domain and files  (web-1, deleted)`. */
function describeOrphan({ vmId, cluster, hostName, vm, ...has }: Orphan): string {
  const parts = [
    ...(has.hasDomain ? ['domain'] : []),
    ...(has.hasFiles ? ['files'] : []),
    ...(has.hasCards ? ['network cards'] : []),
  ];
  const what = parts.join(' and ');
  const whose = vm === null ? 'no machine of this project' : `${vm.name}, ${vm.state}`;
  return `${vmId}  ${cluster}/${hostName}  ${what}  (${whose})`;
}

function verbCommand(verb: 'adopt' | 'remove', description: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<vm-id>', 'as listed by ./factory audit')
    .addOption(dataOption())
    .action((vmId: string, options: Options) =>
      withClient(options, ({ client }) => client.actOnOrphan(vmId, verb)),
    );
}

function goneCommand(): Command {
  return new Command('host-gone')
    .description('say that a host will not come back: its machines are lost, deletes on it end')
    .argument('<cluster>')
    .argument('<host>')
    .addOption(dataOption())
    .action((cluster: string, host: string, options: Options) =>
      withClient(options, ({ client }) => client.declareHostGone(cluster, host)),
    );
}
