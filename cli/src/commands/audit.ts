import type { InvariantAudit } from '@factory/contracts';
import { Command } from 'commander';
import { auditInvariants } from '../client/audit-client.ts';
import type { Orphan } from '../client/factory-client.ts';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';

const NOT_YOURS = 'Whether rules are broken is told to operators of the factory alone.';

interface Options {
  readonly data?: string;
}

/** `./factory audit …` */
export function auditCommand(): Command {
  const command = new Command('audit')
    .description('what breaks a rule, and what is on hosts and nothing speaks for it')
    .addOption(dataOption())
    .action((options: Options) =>
      withClient(options, async ({ client }) => {
        const audit = await auditInvariants(client);
        console.log(audit === undefined ? NOT_YOURS : describeAudit(audit));
        if (audit?.clean === false) process.exitCode = 1;
        const orphans = await client.orphans();
        console.log(orphans.map(describeOrphan).join('\n') || 'Nothing is left without an owner.');
      }),
    );
  command.addCommand(verbCommand('adopt', 'take a machine up where something of it was found'));
  command.addCommand(verbCommand('remove', 'remove what was found of a machine that is deleted'));
  command.addCommand(goneCommand());
  return command;
}

/** One line when all is well; else each rule that is broken, with what breaks it. */
function describeAudit({ clean, checked, rules, breaches }: InvariantAudit): string {
  const { vms, addresses, batches, clusters } = checked;
  const what = `${vms} machines, ${addresses} addresses, ${batches} batches, ${clusters} clusters`;
  if (clean) return `No rule is broken (${rules.length} rules; ${what}).`;
  const broken = rules.filter((rule) => rule.breaches > 0);
  return broken
    .flatMap(({ name, says, breaches: count }) => [
      `${count} times broken: ${says}`,
      ...breaches.filter(({ rule }) => rule === name).map((breach) => `  ${breach.what}`),
    ])
    .join('\n');
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
