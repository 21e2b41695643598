import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';

/** Every path of one factory on this machine; all state is below its data directory. */
export interface Layout {
  /** The checkout that the programs run from. */
  readonly root: string;
  readonly data: string;
  /** Names this factory's domains, networks and nftables: two on one machine don't meet. */
  readonly instance: string;
  readonly run: string;
  readonly logs: string;
  readonly postgres: string;
  readonly images: string;
  readonly volumes: string;
  readonly secrets: string;
  readonly endpointsFile: string;
  readonly credentialsFile: string;
  readonly supervisorFile: string;
  readonly optionsFile: string;
}

/** The layout of the factory whose data directory is `data`. Pure. */
export function layoutOf(root: string, data: string): Layout {
  const directory = resolve(data);
  const run = join(directory, 'run');
  return {
    root,
    data: directory,
    instance: createHash('sha256').update(directory).digest('hex').slice(0, 6),
    run,
    logs: join(directory, 'logs'),
    postgres: join(directory, 'postgres'),
    images: join(directory, 'images'),
    volumes: join(directory, 'volumes'),
    secrets: join(directory, 'secrets'),
    endpointsFile: join(directory, 'endpoints.json'),
    credentialsFile: join(directory, 'credentials.json'),
    supervisorFile: join(run, 'supervisor.json'),
    optionsFile: join(directory, 'options.json'),
  };
}

/** Where one cluster keeps its things. */
export function clusterDirectory(layout: Layout, cluster: string): string {
  return join(layout.data, 'clusters', cluster);
}

/** The folder of one agent's host: `overlays/`, `leases/`, `consoles/` are below it. */
export function hostDirectory(layout: Layout, cluster: string, agent: string): string {
  return join(clusterDirectory(layout, cluster), 'hosts', agent);
}
