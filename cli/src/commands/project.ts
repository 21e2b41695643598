import type { Project } from '@factory/contracts';
import { Command } from 'commander';
import { AccessClient } from '../client/access-client.ts';
import { type Column, formatList, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';

const COLUMNS: readonly Column<Project>[] = [
  { head: 'NAME', cell: ({ name }) => name },
  { head: 'STATE', cell: ({ state }) => state },
  { head: 'MADE', cell: ({ createdAt }) => createdAt },
  { head: 'ID', cell: ({ id }) => id },
];

interface DataOption {
  readonly data?: string;
}

/** `./factory project …` */
export function projectCommand(): Command {
  const command = new Command('project').description(
    'what machines, images and networks belong to',
  );
  command
    .command('list')
    .description("list the organisation's projects")
    .addOption(outputOption())
    .addOption(dataOption())
    .action(async (options: DataOption & { readonly output: OutputFormat }) => {
      await withClient(options, async ({ client }) => {
        const projects = await new AccessClient(client).projects();
        console.log(formatList(projects, COLUMNS, options.output, 'No projects.'));
      });
    });
  command
    .command('create')
    .description('make a project; for a key of it, see: ./factory key create --project')
    .argument('<name>', 'what it is called')
    .addOption(dataOption())
    .action(async (name: string, options: DataOption) => {
      await withClient(options, async ({ client }) => {
        const project = await new AccessClient(client).createProject(name);
        console.log(`${project.name} is made: ${project.id}`);
      });
    });
  command
    .command('close')
    .description('close an empty project; its name stays taken')
    .argument('<project>', 'name or id')
    .addOption(dataOption())
    .action(async (name: string, options: DataOption) => {
      await withClient(options, async ({ client }) => {
        const access = new AccessClient(client);
        const project = await access.findProject(name);
        await access.closeProject(project.id);
        console.log(`${project.name} is closed`);
      });
    });
  return command;
}
