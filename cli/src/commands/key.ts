import { type ApiKeyView, type NewApiKey, ROLES, type Role } from '@factory/contracts';
import { Command, Option } from 'commander';
import { AccessClient } from '../client/access-client.ts';
import { type Column, formatList, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, integer, outputOption } from './options.ts';

const COLUMNS: readonly Column<ApiKeyView>[] = [
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'ROLE', cell: ({ role, scope }) => (scope === 'project' ? role : `${role} of all`) },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'USED', cell: ({ lastUsedAt }) => lastUsedAt ?? 'never' },
  { head: 'EXPIRES', cell: ({ expiresAt }) => expiresAt ?? '-' },
  { head: 'ID', cell: ({ id }) => id },
  { head: 'SUCCESSOR', cell: ({ successorId }) => successorId ?? '-', wide: true },
];

const EXAMPLES = `
Examples:
  ./factory key create --name render-farm --role member
  ./factory key create --name terraform --role member --project film-7 --ucloud
The secret is shown once. Others use the key with FACTORY_URL, FACTORY_KEY_ID and FACTORY_SECRET.`;

interface DataOption {
  readonly data?: string;
}

/** `./factory key …` */
export function keyCommand(): Command {
  const command = new Command('key').description('API keys, by which programs are known');
  command.addCommand(createCommand());
  command.addCommand(listCommand());
  command
    .command('rotate')
    .description('make a key in place of another, which goes on for a while')
    .argument('<key>', 'its id')
    .option('--grace <seconds>', 'how long the old one works (default: a day)', integer(0))
    .addOption(dataOption())
    .action(async (id: string, options: DataOption & { readonly grace?: number }) => {
      await withClient(options, async ({ client }) => {
        show(await new AccessClient(client).rotateKey(id, options.grace));
      });
    });
  command
    .command('revoke')
    .description('have a key stop working, within seconds')
    .argument('<key>', 'its id')
    .addOption(dataOption())
    .action(async (id: string, options: DataOption) => {
      await withClient(options, async ({ client }) => {
        await new AccessClient(client).revokeKey(id);
        console.log(`${id} is revoked`);
      });
    });
  return command;
}

interface CreateOptions extends DataOption {
  readonly name: string;
  readonly role: Role;
  readonly project?: string;
  readonly organisation?: boolean;
  readonly expires?: string;
  readonly ucloud?: boolean;
}

function createCommand(): Command {
  return new Command('create')
    .description('make a key')
    .requiredOption('--name <name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).default('member'))
    .option('--project <project>', 'name or id of another project than the own')
    .option('--organisation', 'the role holds in the whole organisation')
    .option('--expires <time>', 'until when it works, such as 2027-01-01T00:00:00Z')
    .option(
      '--ucloud',
      'it may sign UCloud-style actions, which can be sent again by who sees them',
    )
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action(async (options: CreateOptions) => {
      const { name, role, project, organisation, expires, ucloud = false } = options;
      await withClient(options, async ({ client }) => {
        const access = new AccessClient(client);
        const where =
          project === undefined ? {} : { projectId: (await access.findProject(project)).id };
        show(
          await access.createKey({
            ...{ name, role, ...where, allowsUcloud: ucloud },
            ...(organisation === true ? { scope: 'organisation' } : {}),
            ...(expires === undefined ? {} : { expiresAt: expires }),
          }),
        );
      });
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('list the keys of the project')
    .option('--project <project>', 'name or id of another project than the own')
    .addOption(outputOption())
    .addOption(dataOption())
    .action(
      async (
        options: DataOption & { readonly output: OutputFormat; readonly project?: string },
      ) => {
        const { project, output } = options;
        await withClient(options, async ({ client }) => {
          const access = new AccessClient(client);
          const id = project === undefined ? undefined : (await access.findProject(project)).id;
          console.log(formatList(await access.keys(id), COLUMNS, output, 'No keys.'));
        });
      },
    );
}

/** To standard output, and nowhere else: it is never shown again. */
function show({ id, secret }: NewApiKey): void {
  console.log(`FACTORY_KEY_ID=${id}\nFACTORY_SECRET=${secret}`);
}
