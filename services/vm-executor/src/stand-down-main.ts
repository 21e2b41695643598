import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readSettings, systemClock } from '@factory/runtime';
import { createNetworkToRemove } from './network/this-host.ts';
import { standDownSettings } from './settings.ts';
import { removeInstance } from './stand-down.ts';

// Takes an instance's guests, networks off this machine; with --purge also the disks,
// leases and logs below FACTORY_HOST_DIR. Progress goes to standard output, a line each.
const { values } = parseArgs({
  options: {
    instance: { type: 'string' },
    'libvirt-socket': { type: 'string' },
    'run-dir': { type: 'string' },
    'host-dir': { type: 'string' },
    grace: { type: 'string' },
    purge: { type: 'boolean' },
  },
});
const { purge, ...flags } = values;
const settings = readSettings(standDownSettings, process.env, flags);
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const { instance, runDir } = settings;
const { domains, networks } = await removeInstance({
  instance,
  socketPath: settings.libvirtSocket,
  clock: systemClock,
  network: createNetworkToRemove({ clock: systemClock, instance, runDir }),
  graceMs: settings.graceMs,
  onProgress: say,
});
if (purge === true) {
  for (const folder of ['overlays', 'leases', 'volume-leases', 'consoles']) {
    if (settings.hostDir === undefined) throw new Error('--purge needs --host-dir');
    await rm(join(settings.hostDir, folder), { recursive: true, force: true });
  }
  say(`removed the disks below ${settings.hostDir}`);
}
say(`stood down: ${domains} machines, ${networks} networks`);
