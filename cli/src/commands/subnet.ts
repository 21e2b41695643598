import type { SecurityRule, SubnetChange, SubnetRequest } from '@factory/contracts';
import { Command, Option } from 'commander';
import { SubnetClient } from '../client/subnet-client.ts';
import { formatOne, formatSubnets, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';
import { each, parseSecurityRule, SECURITY_RULE_WORDING } from './wordings.ts';

const CREATE_EXAMPLES = `
Examples:
  ./factory subnet create --name render --cidr 10.20.0.0/16
  ./factory subnet create --name front --cidr 10.30.0.0/24 --egress nat \\
    --security-rule 'accept in tcp 80' --security-rule 'accept in tcp 22 10.0.0.0/8'
  ./factory batch create --name farm --image micro --count 8 --subnet render`;

const CHANGE_EXAMPLES = `
Examples:
  ./factory subnet change front --security-rule 'accept in tcp 443'
  ./factory subnet change front --no-security-rules`;

/** `./factory subnet …` */
export function subnetCommand(): Command {
  const command = new Command('subnet').description('networks of machines');
  command.addCommand(listCommand());
  command.addCommand(createCommand());
  command.addCommand(showCommand());
  command.addCommand(changeCommand());
  command.addCommand(deleteCommand());
  return command;
}

interface CommonOptions {
  readonly data?: string;
  readonly output: OutputFormat;
}

/** Security rules of a subnet, or of a batch. */
export function securityRuleOption(): Option {
  const text = `${SECURITY_RULE_WORDING}; the first that fits counts; repeatable`;
  return new Option('--security-rule <rule>', text).argParser(each(parseSecurityRule));
}

function egressOption(): Option {
  const text = 'nat: its machines reach the world through their hosts; none: only each other';
  return new Option('--egress <how>', text).choices(['none', 'nat']);
}

function listCommand(): Command {
  return new Command('list')
    .description('list the subnets')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: CommonOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatSubnets(await new SubnetClient(client).list(), options.output));
      });
    });
}

interface CreateOptions extends CommonOptions {
  readonly name: string;
  readonly cidr: string;
  readonly egress?: 'none' | 'nat';
  readonly dnsDomain?: string;
  readonly securityRule?: readonly SecurityRule[];
}

function createCommand(): Command {
  return new Command('create')
    .description('make a subnet')
    .requiredOption('--name <name>', 'what batches call it')
    .requiredOption(
      '--cidr <network>',
      'private, of /16 to /29; may be that of other subnets: they know nothing of each other',
    )
    .addOption(egressOption())
    .option(
      '--dns-domain <domain>',
      'machines are <name>.<domain> in it (default: <subnet>.internal)',
    )
    .addOption(securityRuleOption())
    .addOption(outputOption())
    .addOption(dataOption())
    .addHelpText('after', CREATE_EXAMPLES)
    .action(async (options: CreateOptions) => {
      const { name, cidr, egress, dnsDomain, securityRule } = options;
      const request: SubnetRequest = {
        name,
        cidr,
        ...(egress === undefined ? {} : { egress }),
        ...(dnsDomain === undefined ? {} : { dnsDomain }),
        ...(securityRule === undefined ? {} : { securityRules: [...securityRule] }),
      };
      await withClient(options, async ({ client }) => {
        const subnet = await new SubnetClient(client).create(request);
        console.log(formatOne(subnet, options.output === 'table' ? 'name' : options.output));
      });
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('show one subnet')
    .argument('<subnet>', 'name or id')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (name: string, options: CommonOptions) => {
      await withClient(options, async ({ client }) => {
        console.log(formatOne(await new SubnetClient(client).find(name), options.output));
      });
    });
}

interface ChangeOptions {
  readonly data?: string;
  readonly egress?: 'none' | 'nat';
  readonly rename?: string;
  readonly securityRule?: readonly SecurityRule[];
  /** False with `--no-security-rules`. */
  readonly securityRules: boolean;
}

function changeCommand(): Command {
  return new Command('change')
    .description('change a subnet, also for the machines that run in it')
    .argument('<subnet>', 'name or id')
    .option('--rename <name>', 'what it is called from now on')
    .addOption(egressOption())
    .addOption(securityRuleOption())
    .option('--no-security-rules', 'let everything through')
    .addOption(dataOption())
    .addHelpText('after', CHANGE_EXAMPLES)
    .action(async (name: string, options: ChangeOptions) => {
      const { rename, egress, securityRule = [], securityRules } = options;
      const hasRules = securityRule.length > 0 || !securityRules;
      const change: SubnetChange = {
        ...(rename === undefined ? {} : { name: rename }),
        ...(egress === undefined ? {} : { egress }),
        ...(hasRules ? { securityRules: [...securityRule] } : {}),
      };
      await withClient(options, async ({ client }) => {
        const subnets = new SubnetClient(client);
        const { id } = await subnets.find(name);
        const changed = await subnets.change(id, change);
        console.log(`${changed.name} is changed`);
      });
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('delete a subnet without machines')
    .argument('<subnet>', 'name or id')
    .addOption(dataOption())
    .action(async (name: string, options: { readonly data?: string }) => {
      await withClient(options, async ({ client }) => {
        const subnets = new SubnetClient(client);
        const subnet = await subnets.find(name);
        await subnets.delete(subnet.id);
        console.log(`${subnet.name} is deleted`);
      });
    });
}
