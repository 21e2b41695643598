import { parseArgs } from 'node:util';
import { measureBatch } from './api/batch.ts';
import { measureGateway } from './api/gateway.ts';
import { measureLists } from './api/lists.ts';
import { Figures } from './figures.ts';

/**
 * `./factory bench api`: what the control plane does under load, over real HTTP connections, with
 * all services in processes of their own and a real PostgreSQL. Limits are those of the project.
 */
const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    vms: { type: 'string', default: '10000' },
    rows: { type: 'string', default: '100000' },
    agents: { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});
const figures = new Figures(values.json);
const parts: Readonly<Record<string, () => Promise<void>>> = {
  gateway: () => measureGateway(figures),
  batch: () => measureBatch(figures, { vms: Number(values.vms), agents: Number(values.agents) }),
  lists: () => measureLists(figures, { rows: Number(values.rows) }),
};
const chosen = values.only?.split(',') ?? Object.keys(parts);
for (const name of chosen) {
  const part = parts[name];
  if (part === undefined)
    throw new Error(`--only ${name}: one of ${Object.keys(parts).join(', ')}`);
  await part();
}
figures.end();
