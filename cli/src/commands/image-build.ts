import { systemClock } from '@factory/runtime';
import { Command } from 'commander';
import { createProgress } from '../output/progress.ts';
import { buildableImages, buildImage } from '../supervisor/image-build.ts';
import { layoutFor } from './context.ts';
import { dataOption } from './options.ts';

/** `./factory image build` */
export function buildCommand(): Command {
  return new Command('build')
    .description('build a base image from Debian packages, for the factory on this machine')
    .argument('<name>', 'which one')
    .addOption(dataOption())
    .addHelpText('after', () => {
      const { root } = layoutFor({});
      return `\nImages that can be built: ${buildableImages(root).join(', ')}\n\nExample:\n  sudo ./factory image build debian-12`;
    })
    .action(async (name: string, options: { data?: string }) => {
      const layout = layoutFor(options);
      const progress = createProgress(systemClock);
      const log = await buildImage(layout, name, (text) => progress.step(text));
      progress.done(`Built ${name} into ${layout.images}; the log is in ${log}`);
    });
}
