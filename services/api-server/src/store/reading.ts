import type { Clock } from '@factory/runtime';
import type { BatchStore, BatchView } from '../batches/store.ts';
import { SILENT_AFTER_MS, type Silence } from '../clusters/connection.ts';
import { readTallies, readVm } from '../vms/reading.ts';
import type { VmRecord, VmStore } from '../vms/store.ts';
import type { ApiStore } from './api-store.ts';

/**
 * The store as users see through it: what they read of machines whose cluster is silent is that
 * nobody knows. Decisions are made by what was last told, so wishes still queue.
 */
export function readingStore(store: ApiStore, clock: Clock): ApiStore {
  const silence = () => store.fleet.silence(clock.nowMs() - SILENT_AFTER_MS);
  return {
    ...store,
    vms: readingVms(store.vms, silence),
    batches: readingBatches(store.batches, silence),
  };
}

function readingVms(vms: VmStore, silence: () => Promise<Silence>): VmStore {
  const read = async <Result extends { readonly kind: string; readonly vm?: VmRecord }>(
    result: Result,
  ): Promise<Result> =>
    result.vm === undefined ? result : { ...result, vm: readVm(result.vm, await silence()) };
  return {
    ...vms,
    list: async (query) => {
      const silent = await silence();
      const found = await vms.list({ ...query, silent: [...silent.keys()] });
      return silent.size === 0 ? found : found.map((vm) => readVm(vm, silent));
    },
    find: async (projectId, id) => {
      const [vm, silent] = await Promise.all([vms.find(projectId, id), silence()]);
      return vm && readVm(vm, silent);
    },
    wish: async (projectId, id, decide) => read(await vms.wish(projectId, id, decide)),
    resize: async (projectId, id, decide) => read(await vms.resize(projectId, id, decide)),
  };
}

function readingBatches(batches: BatchStore, silence: () => Promise<Silence>): BatchStore {
  const read = async (view: BatchView | undefined): Promise<BatchView | undefined> =>
    view && { ...view, tallies: readTallies(view.tallies, await silence()) };
  return {
    ...batches,
    list: async (query) => {
      const [views, silent] = await Promise.all([batches.list(query), silence()]);
      return views.map((view) => ({ ...view, tallies: readTallies(view.tallies, silent) }));
    },
    find: async (projectId, id) => read(await batches.find(projectId, id)),
    change: async (projectId, id, patch) => read(await batches.change(projectId, id, patch)),
    delete: async (projectId, id, nowMs) => read(await batches.delete(projectId, id, nowMs)),
  };
}
