import { Command } from 'commander';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { withClient } from './context.ts';
import { dataOption } from './options.ts';

interface Options {
  readonly data?: string;
  readonly stop?: true;
}

const answer = Compile(
  Type.Object({ name: Type.String(), version: Type.String(), clusters: Type.Array(Type.String()) }),
);

/** `./factory image replicate` */
export function imageReplicateCommand(): Command {
  return new Command('replicate')
    .description('bring an image to clusters before machines ask for it there')
    .argument('<image>', 'its name, or name@version; by default the newest version')
    .argument('<cluster...>')
    .option('--stop', 'no longer want it there; what is there stays')
    .addOption(dataOption())
    .action((image: string, clusters: readonly string[], options: Options) =>
      withClient(options, async ({ client }) => {
        const { stop } = options;
        const [name = '', version] = image.split('@', 2);
        const verb = stop === true ? 'stopReplicating' : 'replicate';
        const path = `/v1/images/${encodeURIComponent(name)}:${verb}`;
        const wish = { clusters, ...(version === undefined ? {} : { version }) };
        const wanted = await client.call('POST', path, (value) => answer.Parse(value), wish);
        const what = `${wanted.name}@${wanted.version.slice(0, 12)}`;
        const where = wanted.clusters.join(', ');
        console.log(
          stop === true
            ? `${what} is no longer wanted in ${where}.`
            : `${what} is wanted in ${where}. How it stands: ./factory image show ${name}`,
        );
      }),
    );
}
