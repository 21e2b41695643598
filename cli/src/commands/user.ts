import { type NewUser, ROLES, type Role, type User } from '@factory/contracts';
import { Command, Option } from 'commander';
import { AccessClient } from '../client/access-client.ts';
import { type Column, formatList, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';
import { readSecret } from './read-secret.ts';

const COLUMNS: readonly Column<User>[] = [
  { head: 'EMAIL', cell: ({ email }) => email },
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'STATE', cell: ({ state }) => state },
  {
    head: 'ROLES',
    cell: ({ memberships }) =>
      memberships
        .map(({ role, projectId }) => (projectId === null ? `${role} of all` : role))
        .join(', '),
  },
  { head: 'ID', cell: ({ id }) => id, wide: true },
];

const EXAMPLES = `
Examples:
  ./factory user create ada@example.org --name Ada --role admin
  ./factory user create bob@example.org --name Bob --project film-7 --password-stdin < file
Without --password-stdin a password is made, and shown once.`;

interface DataOption {
  readonly data?: string;
}

/** `./factory user …` */
export function userCommand(): Command {
  const command = new Command('user').description('people, who sign in to the console');
  command.addCommand(createCommand());
  command
    .command('list')
    .description("list the organisation's users")
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: DataOption & { readonly output: OutputFormat }) => {
      await withClient(options, async ({ client }) => {
        const users = await new AccessClient(client).users();
        const empty = 'No users. Make one: ./factory user create';
        console.log(formatList(users, COLUMNS, options.output, empty));
      });
    });
  command
    .command('reset-password')
    .description('give a user a new password, and sign them out')
    .argument('<user>', 'email or id')
    .addOption(dataOption())
    .action(async (name: string, options: DataOption) => {
      await withClient(options, async ({ client }) => {
        const access = new AccessClient(client);
        show(await access.resetPassword((await access.findUser(name)).id));
      });
    });
  command
    .command('delete')
    .description('delete a user, and sign them out')
    .argument('<user>', 'email or id')
    .addOption(dataOption())
    .action(async (name: string, options: DataOption) => {
      await withClient(options, async ({ client }) => {
        const access = new AccessClient(client);
        const user = await access.findUser(name);
        await access.deleteUser(user.id);
        console.log(`${user.email} is deleted`);
      });
    });
  return command;
}

interface CreateOptions extends DataOption {
  readonly name: string;
  readonly role: Role;
  readonly project?: string;
  readonly passwordStdin?: boolean;
}

function createCommand(): Command {
  return new Command('create')
    .description('make a user')
    .argument('<email>', 'by which they sign in')
    .requiredOption('--name <name>', 'what they are called')
    .addOption(new Option('--role <role>', 'what they may do').choices(ROLES).default('member'))
    .option('--project <project>', 'name or id of the one project in which they may')
    .option('--password-stdin', 'read the password from standard input')
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action(async (email: string, options: CreateOptions) => {
      const { name, role, project } = options;
      const password = options.passwordStdin === true ? await readSecret('Password') : undefined;
      await withClient(options, async ({ client }) => {
        const access = new AccessClient(client);
        const where =
          project === undefined ? {} : { projectId: (await access.findProject(project)).id };
        show(
          await access.createUser({
            ...{ email, name, memberships: [{ role, ...where }] },
            ...(password === undefined ? {} : { password }),
          }),
        );
      });
    });
}

function show({ email, password }: NewUser): void {
  console.log(password === null ? `${email} is made` : `${email} has the password ${password}`);
}
