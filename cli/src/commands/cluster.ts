import type { Cluster, EnrolmentToken } from '@factory/contracts';
import { Command } from 'commander';
import { ClusterClient } from '../client/cluster-client.ts';
import { readConnection } from '../client/connection.ts';
import { layoutFor, withClient } from './context.ts';
import { dataOption, integer } from './options.ts';

const EXAMPLES = `
Examples:
  ./factory cluster list
  ./factory cluster token create shanghai-1 --owner org_… --region cn-east --max-vcpus 5000
  ./factory cluster withdraw shanghai-1 --notice-seconds 86400
  ./factory cluster show shanghai-1`;

interface Options {
  readonly data?: string;
}

interface TokenOptions extends Options {
  readonly owner?: string;
  readonly region?: string;
  readonly maxVms?: number;
  readonly maxVcpus?: number;
  readonly maxMemoryMib?: number;
}

/** `./factory cluster …` */
export function clusterCommand(): Command {
  const command = new Command('cluster')
    .description('clusters, whose they are, and how they join and leave')
    .addHelpText('after', EXAMPLES);
  command.addCommand(
    new Command('list')
      .description('all clusters; of a partner, its own')
      .addOption(dataOption())
      .action((options: Options) =>
        withClient(options, async ({ client }) => {
          const clusters = await new ClusterClient(client).list();
          console.log(clusters.map(clusterLine).join('\n') || 'No cluster has enrolled yet.');
        }),
      ),
  );
  command.addCommand(
    new Command('show')
      .description('a cluster, and what is left of its machines')
      .argument('<cluster>')
      .addOption(dataOption())
      .action((name: string, options: Options) =>
        withClient(options, async ({ client }) => {
          const cluster = await new ClusterClient(client).get(name);
          console.log(JSON.stringify(cluster, undefined, 2));
        }),
      ),
  );
  command.addCommand(
    new Command('conformance')
      .description('what was found when a cluster was last looked at')
      .argument('<cluster>')
      .addOption(dataOption())
      .action((name: string, options: Options) =>
        withClient(options, async ({ client }) => {
          const { passed, at, checks } = await new ClusterClient(client).conformance(name);
          console.log(`${passed ? 'passed' : 'failed'} at ${at}`);
          for (const each of checks) console.log(`  ${each.name}  ${each.outcome}  ${each.detail}`);
        }),
      ),
  );
  for (const [verb, description] of Object.entries(VERBS)) {
    command.addCommand(verbCommand(verb, description));
  }
  command.addCommand(withdrawCommand());
  command.addCommand(tokenCommand());
  return command;
}

const VERBS = {
  drain: 'give it no more machines; those it has stay',
  resume: 'give it machines again',
  accept: 'let a joining cluster in',
  revoke: 'refuse its key from this moment on',
} as const;

function verbCommand(verb: string, description: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<cluster>')
    .addOption(dataOption())
    .action((name: string, options: Options) =>
      withClient(options, async ({ client }) => {
        console.log(clusterLine(await new ClusterClient(client).act(name, verb)));
      }),
    );
}

function withdrawCommand(): Command {
  return new Command('withdraw')
    .description('give it no more machines, and delete what is left after a notice')
    .argument('<cluster>')
    .requiredOption('--notice-seconds <seconds>', 'how long machines may stay', integer(0))
    .addOption(dataOption())
    .action((name: string, options: Options & { readonly noticeSeconds: number }) =>
      withClient(options, async ({ client }) => {
        const { noticeSeconds } = options;
        const cluster = await new ClusterClient(client).act(name, 'withdraw', { noticeSeconds });
        console.log(clusterLine(cluster));
      }),
    );
}

function tokenCommand(): Command {
  const command = new Command('token').description('one-time tokens that clusters enrol with');
  command.addCommand(
    new Command('create')
      .description('make a token; it is shown this once, with the command for the partner')
      .argument('<cluster>', 'the name of the cluster')
      .option('--owner <organisation>', 'whose the cluster is; by default the one that asks')
      .option('--region <region>', 'where it is')
      .option('--max-vms <count>', 'machines that are handed out there at most', integer(0))
      .option('--max-vcpus <count>', 'the same for their cores', integer(0))
      .option('--max-memory-mib <count>', 'the same for their memory', integer(0))
      .addOption(dataOption())
      .action((clusterName: string, options: TokenOptions) =>
        withClient(options, async ({ client }) => {
          const { url: baseUrl } = await readConnection(layoutFor(options));
          const request = tokenRequest(clusterName, options);
          const { token, expiresAt } = await new ClusterClient(client).createToken(request);
          console.log(
            `Good once, until ${expiresAt}. The partner starts its cluster-server with:\n`,
          );
          console.log(joinCommand({ baseUrl, clusterName, token }));
        }),
      ),
  );
  command.addCommand(
    new Command('list')
      .description('the newest first')
      .addOption(dataOption())
      .action((options: Options) =>
        withClient(options, async ({ client }) => {
          const tokens = await new ClusterClient(client).listTokens();
          console.log(tokens.map(tokenLine).join('\n') || 'There are no enrolment tokens.');
        }),
      ),
  );
  command.addCommand(
    new Command('revoke')
      .description('make a token unusable')
      .argument('<token-id>')
      .addOption(dataOption())
      .action((id: string, options: Options) =>
        withClient(options, ({ client }) => new ClusterClient(client).revokeToken(id)),
      ),
  );
  return command;
}

/** What is asked for, without what was not said. Pure. */
function tokenRequest(clusterName: string, options: TokenOptions) {
  const { owner, region, maxVms: vms, maxVcpus: vcpus, maxMemoryMib: memoryMiB } = options;
  const given = Object.entries({ vms, vcpus, memoryMiB }).filter(([, cap]) => cap !== undefined);
  return {
    clusterName,
    ...(owner === undefined ? {} : { ownerOrganisationId: owner }),
    ...(region === undefined ? {} : { region }),
    ...(given.length === 0 ? {} : { caps: Object.fromEntries(given) }),
  };
}

/** What a partner types. Pure. */
function joinCommand(of: {
  readonly baseUrl: string;
  readonly clusterName: string;
  readonly token: string;
}): string {
  return [
    `FACTORY_LINK_URL=${of.baseUrl} \\`,
    `FACTORY_CLUSTER_NAME=${of.clusterName} \\`,
    `FACTORY_ENROLMENT_TOKEN=${of.token} \\`,
    '  node services/cluster-server/src/main.ts',
  ].join('\n');
}

/** One line for people. Pure. */
function clusterLine({ name, state, region, connected, capacity, management }: Cluster): string {
  const room =
    capacity === null
      ? 'nothing reported yet'
      : `${capacity.activeHosts} hosts, ${capacity.freeVcpus} of ${capacity.totalVcpus} vCPU free`;
  const given = management === null ? '' : `${management.given.vms} machines`;
  const notice = management?.noticeUntil == null ? '' : `until ${management.noticeUntil}`;
  const parts = [name, state, notice, region, connected ? 'connected' : 'silent', room, given];
  return parts.filter((part) => part !== '').join('  ');
}

function tokenLine({ id, clusterName, state, expiresAt, ownerOrganisationId }: EnrolmentToken) {
  return [id, clusterName, state, `until ${expiresAt}`, ownerOrganisationId ?? '']
    .join('  ')
    .trim();
}
